"""Task heads are RoBERTa's: the same scores as transformers' from the same weights."""

import torch
from torch import nn

from model.encoder.heads import ClassificationHead, SpanHead, TokenClassificationHead

WIDTH, CLASSES = 16, 5

HIDDEN_BTH = torch.randn(3, 7, WIDTH, generator=torch.Generator().manual_seed(0))


def theirs(kind: str, labels: int) -> nn.Module:
    import transformers

    config = transformers.XLMRobertaConfig(
        vocab_size=20,
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        num_labels=labels,
    )
    return getattr(transformers, kind)(config).eval()


def test_classification_head() -> None:
    reference = theirs("XLMRobertaForSequenceClassification", CLASSES).classifier
    head = ClassificationHead(WIDTH, CLASSES, 0.1).eval()
    head.load_state_dict(reference.state_dict())
    assert head(HIDDEN_BTH).shape == (3, CLASSES)
    torch.testing.assert_close(head(HIDDEN_BTH), reference(HIDDEN_BTH))


def test_token_head() -> None:
    reference = theirs("XLMRobertaForTokenClassification", CLASSES)
    head = TokenClassificationHead(WIDTH, CLASSES, 0.1).eval()
    head.out_proj.load_state_dict(reference.classifier.state_dict())
    assert head(HIDDEN_BTH).shape == (3, 7, CLASSES)
    torch.testing.assert_close(head(HIDDEN_BTH), reference.classifier(HIDDEN_BTH))
    head.train()
    torch.manual_seed(1)
    first = head(HIDDEN_BTH)
    assert not torch.equal(first, head(HIDDEN_BTH)), "it drops"
    torch.manual_seed(1)
    assert torch.equal(first, head(HIDDEN_BTH))


def test_span_head() -> None:
    reference = theirs("XLMRobertaForQuestionAnswering", 2)
    tokens = torch.randint(4, 20, (3, 7), generator=torch.Generator().manual_seed(1))
    answer = reference(input_ids=tokens)
    hidden = reference.roberta(input_ids=tokens).last_hidden_state
    head = SpanHead(WIDTH)
    head.out_proj.load_state_dict(reference.qa_outputs.state_dict())
    start_BT, end_BT = head(hidden)
    assert start_BT.shape == end_BT.shape == (3, 7)
    torch.testing.assert_close(start_BT, answer.start_logits)
    torch.testing.assert_close(end_BT, answer.end_logits)
