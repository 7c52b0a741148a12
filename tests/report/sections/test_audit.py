from __future__ import annotations

from dataclasses import replace

from lobule.data.associations import Association
from lobule.data.audit import Audit, Imbalance, audit
from lobule.data.findings import Finding
from lobule.data.leakage import Leak
from lobule.data.manifest import Manifest
from lobule.report.sections.audit import association_table, audit_lines, imbalance_table, leakage_table
from tests.report.sections.texts import texts


def test_findings_are_counted_and_the_first_ones_quoted(manifest: Manifest) -> None:
    frame = manifest.frame.copy()
    frame.loc[frame.index[1:8], "pixel_sha256"] = frame["pixel_sha256"].iloc[0]
    repeated = audit(Manifest(frame, manifest.root))
    lines = dict(audit_lines(replace(repeated, findings=repeated.findings * 7)))
    (kind, messages), *_ = lines.items()
    assert kind.startswith("7 × identical pixels")
    assert len(messages) == 6
    assert messages[-1].startswith("and 2 more")


def test_what_could_be_learned_instead_of_tissue(found: Audit) -> None:
    assert imbalance_table(found) is None
    uneven = (Imbalance("size", "10x10", 9, 1), Imbalance("size", "20x20", 0, 30), Imbalance("entry", "x", 1, 1))
    table = imbalance_table(replace(found, imbalance=uneven))
    assert table is not None
    assert texts(table) == {"Size 20x20": ["0", "30", "100\u00a0%"], "Size 10x10": ["9", "1", "10\u00a0%"]}


def test_what_predicts_the_label_is_marked_where_it_is_above_chance(found: Audit) -> None:
    clear, weak = Association(("date", "time"), 20, 0.65, 0.6), Association(("size",), 3, 0.55, 0.6)
    table = association_table(replace(found, associations=(clear, weak)))
    assert table is not None
    assert texts(table) == {
        "date": ["20", "0.65", "0.60", "above chance"],
        "size": ["3", "0.55", "0.60", "not above chance"],
    }
    assert table.rows[0].header.notes == ("and 1 more that divide the images alike",)
    assert association_table(replace(found, associations=())) is None


def test_attributes_are_told_in_their_table_not_twice(found: Audit) -> None:
    finding = Finding("attribute_predicts_label", "warning", (), (), "date: alone it predicts", "keep_all")
    measured = replace(found, findings=(finding,), associations=(Association(("date",), 20, 0.65, 0.6),))
    ((kind, messages),) = audit_lines(measured)
    assert kind.startswith("1 × something other than tissue")
    assert messages == ()


def test_leaks_are_counted_by_part_and_level(found: Audit) -> None:
    leak = Leak("", "test", ("train",), "case", ("14-1", "14-2"), ("a", "b", "c"), ("14-1", "14-2"), 12)
    clean = replace(leak, level="image", groups=(), image_ids=(), case_ids=())
    table = leakage_table(replace(found, leakage=(leak, clean)))
    assert table is not None
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["case", "2", "3 of 12", "25\u00a0%"],
        ["image", "0", "0 of 12", "0\u00a0%"],
    ]
    assert [row.strong for row in table.rows] == [True, False]
    assert leakage_table(found) is None
