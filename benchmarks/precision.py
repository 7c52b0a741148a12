"""Do heads lose anything on features in a cheaper precision? Out-of-fold AUROC in single and in that precision.

    python benchmarks/precision.py DATA --backbone vgg16 --weights FILE --precision int8

Prints the gate's lowest cosine, the out-of-fold AUROC of images and cases in both, and whether they are within 0.005.
What the gate refuses is refused here too, with its numbers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lobule.config import Config, load_config
from lobule.data.audit import apply_policy, audit
from lobule.data.manifest import Manifest
from lobule.data.scan import scan
from lobule.data.split import split
from lobule.errors import VerificationError
from lobule.evaluation.metrics import evaluate
from lobule.features.extract import Features, extract_spec
from lobule.features.parity import parity_of
from lobule.features.precision import settle
from lobule.features.spec import encoder_spec
from lobule.model.held_out import held_out_predictions
from lobule.model.plan import plan_fits
from lobule.model.stages import train_heads

ALLOWED = 0.005


def auroc(manifest: Manifest, features: Features, config: Config) -> dict[str, float]:
    divided = split(manifest, config.data, seed=config.seed)
    fits = plan_fits(divided.fold_of(manifest), divided.is_validation(manifest))
    trained = train_heads(manifest, features, fits, config=config)
    metrics = evaluate(held_out_predictions(manifest, fits, trained.logits, model_id="benchmark"), bootstrap=0)
    return {level: float(metrics.value("binary", "auroc", level=level) or 0) for level in ("image", "case")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--precision", choices=["bf16", "int8"], default="int8")
    given = parser.parse_args()
    names = {"backbone": given.backbone, "weights": given.weights, "precision": given.precision, "views": ["identity"]}
    config = load_config(settings={"features": names})
    scanned = scan(given.data, settings=config.data).manifest
    manifest = apply_policy(scanned, audit(scanned))
    training = manifest.select(split(manifest, config.data, seed=0).train)
    plain = encoder_spec(config.features, seed=0)
    try:
        settled = settle(plain, config.features, training, seed=0)
    except VerificationError as error:
        print(error)
        return 1
    ours, theirs = (extract_spec(manifest, spec, views=("identity",)) for spec in (plain, settled))
    everyone = parity_of(ours.values[0], theirs.values[0], backbone=plain.backbone, precision=given.precision)
    print(f"all {len(manifest)} images: {everyone}")
    scores = {spec.spec.precision: auroc(manifest, spec, config) for spec in (ours, theirs)}
    for name, row in scores.items():
        print(f"{name:<6}" + "  ".join(f"{level} AUROC {value:.4f}" for level, value in row.items()))
    difference = scores[given.precision]["image"] - scores["f32"]["image"]
    verdict = "within" if abs(difference) <= ALLOWED else "NOT within"
    print(f"image AUROC differs by {difference:+.4f}: {verdict} {ALLOWED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
