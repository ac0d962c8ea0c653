"""How the published test sets spell languages in their files' names.

FLORES-200 and SIB-200: ISO 639-3 and script. Tatoeba as LASER publishes it: ISO 639-3, where a
macrolanguage is sometimes itself (`ara`) and sometimes its commonest member (`pes`, `swh`). CoNLL:
three letters of its own. A language that a table does not have is spelled as its own code, so that
a set with more languages can be used by naming them as its files do.
"""

from model.languages import file_codes

_FLORES = """
af afr_Latn am amh_Ethi ar arb_Arab as asm_Beng az azj_Latn be bel_Cyrl bg bul_Cyrl bn ben_Beng
bs bos_Latn ca cat_Latn cs ces_Latn cy cym_Latn da dan_Latn de deu_Latn el ell_Grek en eng_Latn
eo epo_Latn es spa_Latn et est_Latn eu eus_Latn fa pes_Arab fi fin_Latn fo fao_Latn fr fra_Latn
ga gle_Latn gd gla_Latn gl glg_Latn gu guj_Gujr ha hau_Latn he heb_Hebr hi hin_Deva hr hrv_Latn
hu hun_Latn hy hye_Armn id ind_Latn is isl_Latn it ita_Latn ja jpn_Jpan jv jav_Latn ka kat_Geor
kk kaz_Cyrl km khm_Khmr kn kan_Knda ko kor_Hang ku kmr_Latn ky kir_Cyrl lo lao_Laoo lt lit_Latn
lv lvs_Latn mg plt_Latn mk mkd_Cyrl ml mal_Mlym mn khk_Cyrl mr mar_Deva ms zsm_Latn mt mlt_Latn
my mya_Mymr ne npi_Deva nl nld_Latn no nob_Latn om gaz_Latn or ory_Orya pa pan_Guru pl pol_Latn
ps pbt_Arab pt por_Latn ro ron_Latn ru rus_Cyrl sa san_Deva sd snd_Arab si sin_Sinh sk slk_Latn
sl slv_Latn so som_Latn sq als_Latn sr srp_Cyrl su sun_Latn sv swe_Latn sw swh_Latn ta tam_Taml
te tel_Telu th tha_Thai tl tgl_Latn tr tur_Latn ug uig_Arab uk ukr_Cyrl ur urd_Arab uz uzn_Latn
vi vie_Latn xh xho_Latn yi ydd_Hebr yo yor_Latn zh zho_Hans zh-Hant zho_Hant
""".split()
_TATOEBA = """
af afr am amh ar ara az aze be bel bg bul bn ben br bre bs bos ca cat cs ces cy cym da dan de deu
el ell eo epo es spa et est eu eus fa pes fi fin fo fao fr fra fy fry ga gle gd gla gl glg he heb
hi hin hr hrv hu hun hy hye id ind is isl it ita ja jpn jv jav ka kat kk kaz km khm ko kor ku kur
la lat lt lit lv lvs mk mkd ml mal mn mon mr mar ms zsm nl nld no nob pl pol pt por ro ron ru rus
sk slk sl slv sq sqi sr srp sv swe sw swh ta tam te tel th tha tl tgl tr tur ug uig uk ukr ur urd
uz uzb vi vie xh xho yi yid zh cmn
""".split()
_CONLL = "de deu en eng es esp nl ned".split()


def _table(words: list[str]) -> dict[str, str]:
    return dict(zip(words[::2], words[1::2], strict=True))


TABLES = {"flores": _table(_FLORES), "tatoeba": _table(_TATOEBA), "conll": _table(_CONLL)}


def spellings(scheme: str, language: str) -> tuple[str, ...]:
    """How files may spell the language, in the order in which to look for them.

    scheme: `language` (this project's codes and their aliases), `flores`, `tatoeba` or `conll`.
    """
    if scheme == "language":
        return file_codes(language)
    return (TABLES[scheme].get(language, language),)
