"""Make the font subset for figures with Chinese text from Debian's fonts-noto-cjk.

Needs fonts-noto-cjk (apt install fonts-noto-cjk) and fonttools. The subset holds the characters of the
label table, of the error messages, and printable ASCII; it is under the SIL Open Font License 1.1.
"""

import string
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

from resnet18_lab.inference import labels
from resnet18_lab.preprocessing.refusals import TEXTS

DATA = Path(__file__).resolve().parents[2] / "resnet18_lab" / "data"
SOURCE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
FAMILY = "Noto Sans CJK SC"
NEW_FAMILY = "Resnet18 Lab Sans SC"  # a modified version must not carry the reserved name
FAMILY_NAME_IDS = (1, 3, 4, 6, 16)


def characters() -> str:
    """Every character that figures may show."""
    texts = [label.zh + label.en for label in labels.all_labels()]
    texts += [text for pair in TEXTS.values() for text in pair]
    return "".join(sorted(set("".join(texts) + string.printable.strip() + "，。：；（）％·×≥≤ ")))


def main() -> None:
    """Write the subset."""
    collection = TTCollection(SOURCE)
    font = next(face for face in collection.fonts if face["name"].getDebugName(1) == FAMILY)
    options = subset.Options(
        layout_features=[], hinting=False, name_IDs=["*"], notdef_outline=True, desubroutinize=True
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters())
    subsetter.subset(font)
    for record in font["name"].names:
        if record.nameID in FAMILY_NAME_IDS:
            plain = NEW_FAMILY.replace(" ", "") + "-Regular" if record.nameID == 6 else NEW_FAMILY
            font["name"].setName(plain, record.nameID, record.platformID, record.platEncID, record.langID)
    font.save(DATA / "resnet18_lab_sans_sc.otf")


if __name__ == "__main__":
    main()
