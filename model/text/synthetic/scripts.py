"""Spelling: one inventory of sounds, written in each language's real script.

A word is a tuple of syllables (consonant, vowel, coda). The letters are the script's own and their
values are roughly the usual ones, so that a cognate is recognisable within a script and not across
scripts. What is simplified: no capitals, no diacritics or letters of a single language, no final
forms (Greek, Hebrew), no tones, Han characters stand for syllables.
"""

from collections.abc import Callable

from model.languages import Language

CONSONANTS = "pbtdkgmnszfhlrwycx"
VOWELS = "aeiou"
CODAS = "nlmktsr"

Syllable = tuple[str, str, str]
Word = tuple[Syllable, ...]

_ALPHABETS = {
    "Latn": ("p b t d k g m n s z f h l r w y c x", "a e i o u"),
    "Cyrl": ("п б т д к г м н с з ф х л р в й ч ш", "а е и о у"),
    "Grek": ("π β τ δ κ γ μ ν σ ζ φ χ λ ρ ψ θ ξ ς", "α ε ι ο υ"),
    "Geor": ("პ ბ ტ დ კ გ მ ნ ს ზ ფ ჰ ლ რ ვ ჯ ჩ შ", "ა ე ი ო უ"),
    "Armn": ("պ բ տ դ կ գ մ ն ս զ ֆ հ լ ր վ յ չ շ", "ա ե ի ո ը"),
    "Arab": ("پ ب ت د ک گ م ن س ز ف ه ل ر و ی چ ش", "ا  ی  و"),
    "Hebr": ("פ ב ת ד כ ג מ נ ס ז צ ה ל ר ו י ח ש", "א  י  ו"),
}
"""Arabic and Hebrew leave e and o unwritten."""

_ABUGIDAS = {
    "Deva": ("प ब त द क ग म न स ज फ ह ल र व य च श", " े ि ो ु", "्"),
    "Beng": ("প ব ত দ ক গ ম ন স জ ফ হ ল র ভ য চ শ", " ে ি ো ু", "্"),
    "Guru": ("ਪ ਬ ਤ ਦ ਕ ਗ ਮ ਨ ਸ ਜ ਫ ਹ ਲ ਰ ਵ ਯ ਚ ਛ", " ੇ ਿ ੋ ੁ", "੍"),
    "Gujr": ("પ બ ત દ ક ગ મ ન સ જ ફ હ લ ર વ ય ચ શ", " ે િ ો ુ", "્"),
    "Orya": ("ପ ବ ତ ଦ କ ଗ ମ ନ ସ ଜ ଫ ହ ଲ ର ଭ ଯ ଚ ଶ", " େ ି ୋ ୁ", "୍"),
    "Taml": ("ப வ த ட க ங ம ன ஸ ஜ ழ ஹ ல ர ற ய ச ஷ", " ே ி ோ ு", "்"),
    "Telu": ("ప బ త ద క గ మ న స జ ఫ హ ల ర వ య చ శ", " ే ి ో ు", "్"),
    "Knda": ("ಪ ಬ ತ ದ ಕ ಗ ಮ ನ ಸ ಜ ಫ ಹ ಲ ರ ವ ಯ ಚ ಶ", " ೆ ಿ ೊ ು", "್"),
    "Mlym": ("പ ബ ത ദ ക ഗ മ ന സ ജ ഫ ഹ ല ര വ യ ച ശ", " േ ി ോ ു", "്"),
    "Sinh": ("ප බ ත ද ක ග ම න ස ජ ෆ හ ල ර ව ය ච ශ", " ෙ ි ො ු", "්"),
    "Khmr": ("ប ព ត ទ ក គ ម ន ស ជ ភ ហ ល រ វ យ ច ឆ", "ា េ ិ ោ ុ", ""),
    "Mymr": ("ပ ဗ တ ဒ က ဂ မ န သ ဇ ဖ ဟ လ ရ ဝ ယ စ ဆ", "ာ ေ ိ ော ု", "်"),
}
"""Consonants, vowel signs (a is inherent where its place is empty), and the sign of no vowel."""

_VOWEL_FIRST = {
    "Thai": ("ป บ ต ด ก ค ม น ส ซ ฟ ห ล ร ว ย จ ช", "า เ ิ โ ุ"),
    "Laoo": ("ປ ບ ຕ ດ ກ ຄ ມ ນ ສ ຊ ຟ ຫ ລ ຣ ວ ຢ ຈ ຂ", "າ ເ ິ ໂ ຸ"),
}
"""Thai and Lao write e and o before the consonant."""

_ETHIOPIC = (
    0x1350, 0x1260, 0x1270, 0x12F0, 0x12A8, 0x1308, 0x1218, 0x1290, 0x1230,
    0x12D8, 0x1348, 0x1200, 0x1208, 0x1228, 0x12C8, 0x12E8, 0x1278, 0x1238,
)  # fmt: skip
_ETHIOPIC_ORDERS = dict(zip(VOWELS, (3, 4, 2, 6, 1), strict=True))
_HANGUL_INITIALS = dict(
    zip(CONSONANTS, (17, 7, 16, 3, 15, 0, 6, 2, 9, 12, 8, 18, 5, 11, 4, 13, 14, 10), strict=True)
)
_HANGUL_VOWELS = dict(zip(VOWELS, (0, 5, 20, 8, 13), strict=True))
_HANGUL_FINALS = {"": 0, "n": 4, "l": 8, "m": 16, "k": 1, "t": 7, "s": 19, "r": 21}
_KANA = dict(
    zip(
        CONSONANTS,
        "ぱぺぴぽぷ ばべびぼぶ たてちとつ だでぢどづ かけきこく がげぎごぐ まめみもむ なねにのぬ "
        "させしそす ざぜじぞず ハヘヒホフ はへひほふ ラレリロル られりろる わゑゐをう やえいよゆ "
        "タテチトツ サセシソス".split(),
        strict=True,
    )
)
_HANS = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对"
    "着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面"
)
_HANT = (
    "的一是不了人我在有他這為之大來以個中上們到說國和地也子時道出而要於就下得可你年生自會那後能對"
    "著事其裡所去行過家十用發天如然作方成者多日都三小軍二無同麼經法當起與好看學進種將還分此心前面"
)
"""Frequent characters in simplified and traditional form. Each open syllable has one of its own,
which it shares with closed ones."""


def _alphabet(script: str) -> Callable[[Syllable], str]:
    letters, vowels = (row.split(" ") for row in _ALPHABETS[script])
    consonant = dict(zip(CONSONANTS, letters, strict=True)) | {"": ""}
    vowel = dict(zip(VOWELS, vowels, strict=True))
    return lambda s: consonant[s[0]] + vowel[s[1]] + consonant[s[2]]


def _abugida(script: str) -> Callable[[Syllable], str]:
    letters, vowels, bare = _ABUGIDAS[script]
    consonant = dict(zip(CONSONANTS, letters.split(" "), strict=True))
    vowel = dict(zip(VOWELS, vowels.split(" "), strict=True))
    return lambda s: consonant[s[0]] + vowel[s[1]] + (consonant[s[2]] + bare if s[2] else "")


def _vowel_first(script: str) -> Callable[[Syllable], str]:
    letters, vowels = (row.split(" ") for row in _VOWEL_FIRST[script])
    consonant = dict(zip(CONSONANTS, letters, strict=True)) | {"": ""}
    vowel = dict(zip(VOWELS, vowels, strict=True))

    def spell(syllable: Syllable) -> str:
        first, sign = consonant[syllable[0]], vowel[syllable[1]]
        return (sign + first if syllable[1] in "eo" else first + sign) + consonant[syllable[2]]

    return spell


def _ethiopic(syllable: Syllable) -> str:
    row = dict(zip(CONSONANTS, _ETHIOPIC, strict=True))
    coda = chr(row[syllable[2]] + 5) if syllable[2] else ""
    return chr(row[syllable[0]] + _ETHIOPIC_ORDERS[syllable[1]]) + coda


def _hangul(syllable: Syllable) -> str:
    initial, vowel = _HANGUL_INITIALS[syllable[0]], _HANGUL_VOWELS[syllable[1]]
    return chr(0xAC00 + (initial * 21 + vowel) * 28 + _HANGUL_FINALS[syllable[2]])


def _kana(syllable: Syllable) -> str:
    coda = "" if not syllable[2] else "ん" if syllable[2] in "nm" else "っ"
    return _KANA[syllable[0]][VOWELS.index(syllable[1])] + coda


def _han(characters: str) -> Callable[[Syllable], str]:
    def spell(syllable: Syllable) -> str:
        place = CONSONANTS.index(syllable[0]) * len(VOWELS) + VOWELS.index(syllable[1])
        return characters[(place + 7 * (CODAS.find(syllable[2]) + 1)) % len(characters)]

    return spell


_SPELLERS: dict[str, Callable[[Syllable], str]] = (
    {script: _alphabet(script) for script in _ALPHABETS}
    | {script: _abugida(script) for script in _ABUGIDAS}
    | {script: _vowel_first(script) for script in _VOWEL_FIRST}
    | {"Ethi": _ethiopic, "Hang": _hangul, "Jpan": _kana, "Hans": _han(_HANS), "Hant": _han(_HANT)}
)
SCRIPTS = tuple(sorted(_SPELLERS))
_FULL_STOPS = {
    "Deva": "।", "Beng": "।", "Guru": "।", "Orya": "।", "Ethi": "።", "Armn": "։", "Khmr": "។",
    "Mymr": "။", "Hans": "。", "Hant": "。", "Jpan": "。", "Thai": " ", "Laoo": " ",
}  # fmt: skip
_FULL_STOPS_OF_LANGUAGES = {"ur": "۔", "sd": "۔", "mr": "."}
"""Arabic and Persian end a sentence with a dot, Urdu does not; Marathi does, Hindi does not."""


def spell(word: Word, script: str) -> str:
    """The word in the script's letters."""
    speller = _SPELLERS[script]
    return "".join(speller(syllable) for syllable in word)


def full_stop(language: Language) -> str:
    """What ends a sentence; in Thai and Lao a space."""
    mark = _FULL_STOPS.get(language.script, ".")
    return _FULL_STOPS_OF_LANGUAGES.get(language.code, mark)
