"""What a study's `cell` may say: every setting as a typed field, with its unit and source.

Users write `CellConfig` through YAML and OmegaConf; `model/stages.py` cuts it into what each stage
depends on. Imports neither torch nor grid.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from model.checks import one_of as _one_of
from model.checks import require as _require
from model.pretraining_config import PretrainingConfig
from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS

PROFILES = ("wikipedia", "cc100")
"""What generated text is made after."""


@dataclass(kw_only=True)
class SyntheticConfig:
    """The embedded default source: a generated world of pseudo-languages (docs/synthetic.md)."""

    profile: str = "wikipedia"
    """`wikipedia` or `cc100`: which real sizes, and how much noise and which domains."""
    size: int = 2_000_000
    """UTF-8 bytes of text in the largest language."""
    smallest: int = 24_000
    """UTF-8 bytes that every language has at least."""
    skew: float = 0.5
    """Exponent on the real size ratios: 1 keeps them, 0 makes all languages equally large."""
    concepts: int = 320
    """Content concepts in the world that all languages share."""
    cognates: float = 0.5
    """Probability that a branch keeps its family's word; a language keeps its branch's with the
    square root of it. 0 ends borrowing between languages, too."""
    loanwords: float = 0.2
    """Share of content words that are international, as names are: one form in every script."""
    syllables: float = 2.3
    """Mean syllables of a content word, which has one to three."""
    shared_meaning: bool = True
    """False deals words to concepts at random in each language: a cognate then misleads."""
    seed: int = 0
    """Seed of the world. Another seed is another world with the same facts."""

    def __post_init__(self) -> None:
        _one_of(self.profile, "corpus.synthetic.profile", PROFILES)
        _require(self.size >= 10_000, "corpus.synthetic.size", "at least 10000 bytes", self.size)
        _require(
            1_000 <= self.smallest <= self.size,
            "corpus.synthetic.smallest",
            f"1000 to corpus.synthetic.size ({self.size}) bytes",
            self.smallest,
        )
        _require(0 <= self.skew <= 1, "corpus.synthetic.skew", "0 to 1", self.skew)
        _require(
            60 <= self.concepts <= 4000, "corpus.synthetic.concepts", "60 to 4000", self.concepts
        )
        for name in ("cognates", "loanwords"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"corpus.synthetic.{name}", "0 to 1", value)
        _require(1 <= self.syllables <= 3, "corpus.synthetic.syllables", "1 to 3", self.syllables)


@dataclass(kw_only=True)
class HeldOutConfig:
    """The part of each language that is never trained on: whole documents, chosen by content."""

    fraction: float = 0.05
    """Share of the language's bytes that may be held out."""
    max_bytes: int = 200_000
    """UTF-8 bytes that are held out at most."""

    def __post_init__(self) -> None:
        _require(
            0 < self.fraction <= 0.5, "corpus.held_out.fraction", "over 0 to 0.5", self.fraction
        )
        _require(self.max_bytes >= 1, "corpus.held_out.max_bytes", "at least 1", self.max_bytes)


@dataclass(kw_only=True)
class CorpusConfig:
    """Where the text comes from."""

    source: str = "synthetic"
    """`synthetic`, or the name of a location that holds one file or folder per language."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    held_out: HeldOutConfig = field(default_factory=HeldOutConfig)


@dataclass(kw_only=True)
class TokenizerConfig:
    """A SentencePiece model and the sample it is trained on."""

    languages: list[str] | None = None
    """Languages that it is trained on; by default those of the cell."""
    kind: str = "unigram"
    """`unigram` (XLM-R) or `bpe` (XLM)."""
    pre_tokenize: str = "none"
    """`none` (raw text, XLM-R) or `xlm` (lower-cased, accents removed, punctuation split)."""
    vocab_size: int = 250_000
    """SentencePiece pieces, its three special pieces included. The encoder has two rows more."""
    alpha: float = 0.3
    """Exponent of the sample's language distribution, q proportional to p^alpha."""
    sample_bytes: int = 10_000_000_000
    """UTF-8 bytes of training text that the sample holds at most."""
    character_coverage: float = 0.9995
    """Share of characters that must be covered; the rest becomes <unk>."""
    threads: int = 1
    """SentencePiece's training threads: part of the identity, for the result depends on it."""

    def __post_init__(self) -> None:
        _one_of(self.kind, "tokenizer.kind", ("unigram", "bpe"))
        _one_of(self.pre_tokenize, "tokenizer.pre_tokenize", ("none", "xlm"))
        _require(
            8 <= self.vocab_size <= 4_000_000,
            "tokenizer.vocab_size",
            "8 to 4000000",
            self.vocab_size,
        )
        _require(0 <= self.alpha <= 1, "tokenizer.alpha", "0 to 1", self.alpha)
        _require(
            self.sample_bytes >= 1000, "tokenizer.sample_bytes", "at least 1000", self.sample_bytes
        )
        _require(
            0.98 <= self.character_coverage <= 1,  # SentencePiece accepts no less
            "tokenizer.character_coverage",
            "0.98 to 1",
            self.character_coverage,
        )
        _require(1 <= self.threads <= 128, "tokenizer.threads", "1 to 128", self.threads)


@dataclass(kw_only=True)
class SamplingConfig:
    """How often each language is drawn in pretraining: q proportional to p^alpha."""

    alpha: float = 0.3
    """Exponent α: 1 draws languages as they are, 0 draws all equally often."""
    unit: str = "sentences"
    """What p counts: `sentences` (lines, as in the ablations), `tokens` or `bytes`."""
    batches: str = "mixed"
    """`mixed` (fairseq: languages mixed in a batch) or `monolingual` (XLM: one a batch)."""

    def __post_init__(self) -> None:
        _require(0 <= self.alpha <= 1, "sampling.alpha", "0 to 1", self.alpha)
        _one_of(self.unit, "sampling.unit", ("sentences", "tokens", "bytes"))
        _one_of(self.batches, "sampling.batches", ("mixed", "monolingual"))


@dataclass(kw_only=True)
class EncoderConfig:
    """RoBERTa's encoder. Published sizes: Conneau et al. 2020, Table 7."""

    layers: int = 12
    """Transformer layers."""
    width: int = 768
    """Hidden size H."""
    heads: int = 12
    """Attention heads."""
    feed_forward: int | None = None
    """Feed-forward size F; by default 4 H."""
    norm: str = "post"
    """`post` (Base, Large) or `pre` (XL, XXL) layer normalisation."""
    max_positions: int = 512
    """Longest sequence, <s> and </s> included; the position table has two rows more."""
    dropout: float = 0.1
    """Dropout on embeddings and on the output of each sublayer."""
    attention_dropout: float = 0.1
    """Dropout on attention weights."""
    initialization: str = "normal"
    """`normal` (standard deviation `init_std`, as published) or `fan_in` (1/sqrt(fan-in))."""
    init_std: float = 0.02
    """Standard deviation of `normal` initialisation."""
    pad_vocab_to: int = 1
    """Embedding rows are padded to a multiple of this (XL and XXL have 250,880)."""
    language_embeddings: bool = field(default=False, metadata={"absent": False})
    """Add a learned vector for the text's language to its tokens, as XLM did (XLM-R does not). Such
    a model reads only the languages that it was pretrained on."""

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "max_positions", "pad_vocab_to"):
            value = getattr(self, name)
            _require(value >= 1, f"encoder.{name}", "at least 1", value)
        _require(
            self.width % self.heads == 0,
            "encoder.width",
            f"a multiple of encoder.heads ({self.heads})",
            self.width,
        )
        _require(
            self.feed_forward is None or self.feed_forward >= 1,
            "encoder.feed_forward",
            "at least 1",
            self.feed_forward,
        )
        _require(self.init_std > 0, "encoder.init_std", "more than 0", self.init_std)
        _one_of(self.norm, "encoder.norm", ("post", "pre"))
        _one_of(self.initialization, "encoder.initialization", ("normal", "fan_in"))
        for name in ("dropout", "attention_dropout"):
            value = getattr(self, name)
            _require(0 <= value < 1, f"encoder.{name}", "0 to below 1", value)

    @property
    def feed_forward_size(self) -> int:
        return self.feed_forward or 4 * self.width


@dataclass(kw_only=True)
class EvaluationConfig:
    """Likelihood of held-out text, in bits per byte over fixed spans of raw text."""

    languages: list[str] | None = None
    """Languages that are scored, here and in every task; by default those of the cell."""
    text: str | None = field(default=None, metadata={"absent": None})
    """Whose held-out text is scored, so that models of several sources are scored on the same: a
    source's name or, for generated text, a profile. By default the cell's own. The unigram stays
    that of the cell's training text, from which nothing is taken out for another source."""
    max_bytes: int = 20_000
    """UTF-8 bytes of held-out text that are scored in each language at most."""
    span: int = 8
    """Longest span in characters; a span never crosses white space."""
    passes: int = 4
    """Every span is masked once; the spans of a sequence are spread over this many passes."""
    pseudo_perplexity_bytes: int = field(default=0, metadata={"absent": 0})
    """UTF-8 bytes of held-out text in each language of which pseudo-perplexity is measured.
    Each piece is masked alone (Salazar et al. 2020), which takes as many passes as a sequence has
    pieces. 0 leaves it out. Models with different tokenizers do not compare by it."""
    milestones: bool = field(default=False, metadata={"absent": False})
    """True: score each of the pretraining's milestones, too."""

    def __post_init__(self) -> None:
        for name in ("max_bytes", "span", "passes"):
            value = getattr(self, name)
            _require(value >= 1, f"evaluation.{name}", "at least 1", value)
        _require(
            self.pseudo_perplexity_bytes >= 0,
            "evaluation.pseudo_perplexity_bytes",
            "at least 0",
            self.pseudo_perplexity_bytes,
        )


GENERATED = "xnli"
"""The task that the synthetic source has."""
TAKES = ("corpus", "tokenizer", "shards", "pretraining")


@dataclass(kw_only=True)
class CommandConfig:
    """A stage that runs a program of the user's own, which the site file defines by this name."""

    takes: list[str] = field(default_factory=lambda: ["corpus", "tokenizer"])
    """What it is given: some of `corpus`, `tokenizer`, `shards`, `pretraining`. With the corpora
    come those of `evaluation.text`, as `held_out/<language>`, where that is another text."""
    replaces_pretraining: bool = False
    """True: the cell is trained by this program, so the built-in pretraining, evaluation and
    fine-tuning are left out."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Values of the program's own: scalars, lists or mappings, handed on as they are."""

    def __post_init__(self) -> None:
        for name in self.takes:
            _one_of(name, "commands.*.takes", TAKES)
        _require(
            len(set(self.takes)) == len(self.takes),
            "commands.*.takes",
            "each once",
            self.takes,
        )
        _require(
            not (self.replaces_pretraining and "pretraining" in self.takes),
            "commands.*.takes",
            "no pretraining where replaces_pretraining is true",
            self.takes,
        )


@dataclass(kw_only=True)
class CellConfig:
    """One experiment, complete: everything that changes its results and nothing else."""

    languages: list[str] = field(default_factory=list)
    """A language set's name in a study (`xlm-15`), or a list of codes."""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    tasks: dict[str, TaskConfig | None] = field(default_factory=dict)
    """Downstream tasks by name (docs/tasks.md); null switches one off."""
    commands: dict[str, CommandConfig | None] = field(default_factory=dict, metadata={"absent": {}})
    """Programs of the user's own by their name in the site file; null switches one off."""
    seed: int = 1
    """Replicate: initialisation, data order and dropout."""
    checkpoint: str | None = field(default=None, metadata={"absent": None})
    """A published model to start from: the name of a location that holds its folder. Its tokenizer
    is the cell's; with 0 updates its weights are scored as they are."""

    def __post_init__(self) -> None:
        _require(len(self.languages) > 0, "languages", "at least one language", self.languages)
        for name, languages in (
            ("languages", self.languages),
            ("tokenizer.languages", self.tokenizer.languages or []),
            ("evaluation.languages", self.evaluation.languages or []),
        ):
            unique = set(languages)
            repeated = (
                []
                if len(unique) == len(languages)
                else sorted(code for code in unique if languages.count(code) > 1)
            )
            _require(not repeated, name, "each language once", repeated)
        for name in self.tasks:
            _one_of(name, "tasks", TASKS)
        _require(
            self.checkpoint is None or self.tokenizer.pre_tokenize == "none",
            "tokenizer.pre_tokenize",
            "none, for a published model's text is not pre-tokenized",
            self.tokenizer.pre_tokenize,
        )
        _require(
            self.pretraining.sequence_length <= self.encoder.max_positions,
            "pretraining.sequence_length",
            f"at most encoder.max_positions ({self.encoder.max_positions})",
            self.pretraining.sequence_length,
        )
        for name, task in self.tasks.items():
            if task is not None:
                _require(
                    task.max_length <= self.encoder.max_positions,
                    f"tasks.{name}.max_length",
                    f"at most encoder.max_positions ({self.encoder.max_positions})",
                    task.max_length,
                )
                _require(
                    task.source != "synthetic" or name == GENERATED,
                    f"tasks.{name}.source",
                    f"the name of a location, for only {GENERATED} is generated",
                    task.source,
                )
                _require(
                    (task.layer or 0) <= self.encoder.layers,
                    f"tasks.{name}.layer",
                    f"at most encoder.layers ({self.encoder.layers})",
                    task.layer,
                )
        self._check_language_embeddings()
        self.scored_corpus()  # a profile is checked where it is made
        outside = sorted(set(self.pretraining.counted_languages or []) - set(self.languages))
        _require(
            not outside,
            "pretraining.counted_languages",
            "languages that the cell is trained on",
            outside,
        )

    def scored_corpus(self) -> CorpusConfig:
        """Of the held-out text that is scored: like the cell's corpus, of `evaluation.text`."""
        text = self.evaluation.text
        if text is None:
            return self.corpus
        if self.corpus.source != "synthetic":
            _require(
                text != "synthetic",
                "evaluation.text",
                "a source of files like the cell's own, for generated text is of another world",
                text,
            )
            return replace(self.corpus, source=text)
        _one_of(text, "evaluation.text", PROFILES)
        return replace(self.corpus, synthetic=replace(self.corpus.synthetic, profile=text))

    def _check_language_embeddings(self) -> None:
        if not self.encoder.language_embeddings:
            return
        _require(
            self.checkpoint is None,
            "encoder.language_embeddings",
            "false for a cell that starts from a checkpoint, for those published have none",
            True,
        )
        tasks = {name: task for name, task in self.tasks.items() if task is not None}
        for key, languages in {
            "evaluation.languages": self.evaluation.languages or [],
            **{
                f"tasks.{name}.train_language": [task.train_language]
                for name, task in tasks.items()
            },
            **{f"tasks.{name}.languages": task.languages or [] for name, task in tasks.items()},
        }.items():
            unseen = sorted(set(languages) - set(self.languages))
            _require(
                not unseen,
                key,
                "languages that the cell is trained on, for encoder.language_embeddings knows no "
                "other",
                unseen,
            )
