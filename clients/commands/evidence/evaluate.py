"""`rascanet evaluate`: how well weights do on labelled photographs, with and without early exit."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from clients.commands.console import console, fail, failing_on
from clients.commands.policy import ExitThreshold, Policy, SkipThreshold, policy_of
from clients.commands.remarks import tell_remarks
from clients.commands.train.data import Coco, MinivalIds, Year
from clients.commands.weights import ChosenVariant, Weights, names_of, weights_file


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    photos: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="folder of photographs with an index.csv")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="vww: Visual Wake Words, from --coco, instead of --photos")
    ] = None,
    coco: Coco = None,
    year: Year = None,
    minival_ids: MinivalIds = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="split to evaluate")] = "val",
    variant: ChosenVariant = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="weights; those that come with the project if not given; repeatable, to compare",
        ),
    ] = None,
    policy: Policy = None,
    exit_threshold: ExitThreshold = None,
    skip_threshold: SkipThreshold = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|JSON", help="policy (name or JSON) to compare with the first, in one table with paired tests"
        ),
    ] = None,
    degrade: Annotated[
        bool,
        typer.Option("--degrade", help="add a table of the same pictures made softer, smaller, compressed and noisy"),
    ] = False,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Markdown page whose table of --degrade is replaced")
    ] = None,
) -> None:
    """Prints the accuracy of weights and, under a policy, the share of bursts processed and the exits.

    Without --policy, the policy is `calibrated` if all weights have a certificate, else `published`.

    Examples:
        rascanet evaluate --photos folder
        rascanet evaluate --photos folder --compare published
        rascanet evaluate --photos folder --degrade
    """
    from clients.commands.evidence.evaluation_tables import (
        Contender,
        auroc_table,
        compare_table,
        degraded_table,
        halt_table,
        policy_table,
        policy_words,
        reliability_table,
        weights_table,
        whole_table,
    )
    from clients.commands.table import PageError, refresh_page
    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError
    from model.exit_policy import NeverExitPolicy, PolicyError, PublishedPolicy, parse_policy
    from model.step import RuntimeUnavailableError
    from model.training.dataset import write_index
    from model.training.evaluate import Evaluation
    from model.training.photos import PhotosError, read_photos
    from model.training.vww import read_vww

    if (photos is None) == (data is None) or data not in (None, "vww") or (data is None) != (coco is None):
        fail("give either --photos FOLDER, or --data vww with --coco FOLDER")
    if page and not degrade:
        fail("--page takes the table of --degrade")
    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PolicyError, PhotosError, ValueError):
        used, *rivals = (Weights.load(weights_file(file, variant)) for file in weights or (None,))
        described = policy_of(policy, exit_threshold, skip_threshold)
        if described is None and not all(each.certified for each in (used, *rivals)):
            described = {"name": PublishedPolicy.name}  # one rule for all
        chosen = parse_policy(described, used.certified)
        others = [(each, parse_policy(described, each.certified)) for each in rivals]
        others += [(used, parse_policy(policy_of(text, None, None), used.certified)) for text in compare or ()]
        with TemporaryDirectory() as made:
            if coco:
                tell_remarks(write_index(Path(made), read_vww(coco, year, minival_ids), check=False).remarks)
            pictures = read_photos(photos or Path(made), split)
            evaluations = {used.file: Evaluation(used.runtime, pictures)}
            for other, _ in others:
                if other.file not in evaluations:
                    evaluations[other.file] = Evaluation(other.runtime, pictures)
    evaluation = evaluations[used.file]
    if not evaluation.sources:
        fail(f"the split {split!r} holds pictures of one class alone")
    where = f"{used.runtime.config.name} on {split}"
    console.print(f"{split}: {pictures.scope}", highlight=False)
    tables = [whole_table(evaluation, f"{where}, whole frames"), reliability_table(evaluation, f"{where}, reliability")]
    if chosen != NeverExitPolicy():
        tables += [
            policy_table(evaluation, chosen, f"{where}, policy {chosen.name} ({policy_words(chosen)})"),
            halt_table(evaluation, chosen, f"{where}, bursts processed under {chosen.name}"),
        ]
    names = names_of(evaluations)
    judged = {names[file]: each for file, each in evaluations.items()}
    if len(judged) > 1:
        tables.append(weights_table(judged, f"On {split}, whole frames, one beside the other"))
        tables.append(auroc_table(judged, f"On {split}, whole frames, AUROC"))
    if others:
        contenders = [
            Contender(names[each.file], evaluations[each.file], rule) for each, rule in [(used, chosen), *others]
        ]
        tables.append(compare_table(contenders, f"On {split}, one beside the other"))
    if degrade:
        with failing_on(PhotosError, PageError, OSError):
            worse = degraded_table(judged, f"On {split}, the same pictures made worse, whole frames")
            tables.append(worse)
            if page:
                refresh_page(page, {f"degraded {split}": [worse]})
    for table in tables:
        table.narrow().show(console)
