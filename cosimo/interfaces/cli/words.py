"""`cosimo words`: a file of word vectors → neighbours, sums, the odd one out, tests; training one; tokens in context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output
from .lazy import EverydayGroup

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...collection.words import Words

FILE = click.Path(dir_okay=False)
limit = click.option("--limit", type=click.IntRange(1), help="Read this many words from the beginning of FILE alone.")


class Files(EverydayGroup):
    """A group where a word that is no command is the FILE of `neighbours`, and no word at all asks for help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As other groups with an everyday command; what is neither a command nor a file may be a slip of either."""
        from difflib import get_close_matches
        from pathlib import Path

        if not args:
            return click.Group.parse_args(self, ctx, args)
        near = [] if args[0] in self.commands or Path(args[0]).exists() else get_close_matches(args[0], self.commands)
        if near:
            ctx.fail(f"There is no file '{args[0]}', and no command of that name. Did you mean: {', '.join(near)}?")
        return super().parse_args(ctx, args)


@click.group(cls=Files, default="neighbours")
def words() -> None:
    """Ask a file of word vectors (word2vec, GloVe, fastText), train one, or see a text's tokens in context.

    \b
    cosimo words FILE 'germany + paris - france' -n 5
    """


@words.command()
@click.argument("file", type=FILE)
@click.argument("expression", required=False)
@options.stacked(
    options.number,
    click.option("--with-inputs", is_flag=True, help="Let the words that were given be answers too."),
    limit,
    click.option("--into", metavar="COLLECTION", help="Store every word of FILE in COLLECTION, under itself."),
    click.option("--save", type=click.Path(dir_okay=False), metavar="OUT",
                 help="Write the words to OUT: word2vec's binary form for .bin, else text."),
    options.as_json,
    options.database,
    options.busy_timeout,
)  # fmt: skip
def neighbours(
    file: str, expression: str | None, *, number: int, with_inputs: bool, limit: int | None, into: str | None,
    save: str | None, as_json: bool, database: Path | None, busy_timeout: float,
) -> None:  # fmt: skip
    """Print the words of FILE nearest to a word, or to a sum of words.

    The word `neighbours` may be left out. Signs may stand without spaces, quotes hold a word of several parts together, 2*king
    counts twice; case, and _ for spaces, need not be right.

    \b
    cosimo words vectors.bin france
    cosimo words vectors.bin 'germany + paris - france' -n 5
    cosimo words vectors.bin --into english -d words.db
    """
    if expression is None and into is None and save is None:
        raise click.UsageError("Give a word or a sum of words, as 'germany + paris - france', or --into, or --save.")
    table = _loaded(file, limit)
    if into is not None:
        _put(table, file, into, database, busy_timeout)
    if save is not None:
        table.save(save)
        click.echo(f"{save}: {len(table):,} words", err=True)
    if expression is not None:
        found = table.neighbours(expression, number, with_inputs=with_inputs)
        output.records((each._asdict() for each in found), ("score", "word"), as_json=as_json)


@words.command()
@click.argument("file", type=FILE)
@click.argument("a")
@click.argument("b")
@options.stacked(limit, options.as_json)
def similarity(file: str, a: str, b: str, *, limit: int | None, as_json: bool) -> None:
    """Print the cosine similarity of two words, or of two sums of words."""
    score = _loaded(file, limit).similarity(a, b)
    output.records([{"a": a, "b": b, "score": score}], ("score", "a", "b"), as_json=as_json)


@words.command()
@click.argument("file", type=FILE)
@click.argument("members", nargs=-1, required=True, metavar="WORD...")
@options.stacked(limit, options.as_json)
def odd(file: str, members: tuple[str, ...], *, limit: int | None, as_json: bool) -> None:
    """Print some words, the one that fits the others least first, with how like the others each is."""
    table = _loaded(file, limit)
    each_of = ([each] if table.table.known(each) is not None else each.split() for each in members)  # "new york" is one
    found = table.odd_one_out([word for words in each_of for word in words])
    output.records((each._asdict() for each in found.scores), ("score", "word"), as_json=as_json)


@words.command(name="eval")
@click.argument("file", type=FILE)
@click.argument("questions", type=FILE)
@options.stacked(limit, options.as_json)
def eval_(file: str, questions: str, *, limit: int | None, as_json: bool) -> None:
    """Measure FILE with a file of analogies (questions-words.txt) or of pairs with a score (WordSim, SimLex).

    Of analogies, a row is printed for each section and one for all; of pairs, Spearman's correlation with people's scores.
    """
    table = _loaded(file, limit)
    rows = list(_measured(table, questions))
    output.records(rows, list(rows[0]), as_json=as_json)


@words.command()
@click.argument("source", type=click.Path())
@click.argument("out", type=FILE)
@options.stacked(
    click.option("--kind", type=click.Choice(["word2vec", "fasttext"]), default="word2vec", show_default=True,
                 help="fasttext learns parts of words too, for words it has never seen."),
    click.option("--glob", "pattern", default="**/*", show_default=True, help="Which files, where SOURCE is a folder."),
    click.option("--dim", type=click.IntRange(1), default=100, show_default=True, help="Length of the vectors."),
    click.option("--window", type=click.IntRange(1), default=5, show_default=True, help="Words on either side."),
    click.option("--min-count", type=click.IntRange(1), default=5, show_default=True, help="Leave out rarer words."),
    click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, help="Times the texts are read."),
    click.option("--cbow", is_flag=True, help="Guess a word from those around it, instead of those around from the word."),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--threads", type=click.IntRange(1), default=1, show_default=True,
                 help="With one, the same texts give the same vectors."),
    options.quiet,
)  # fmt: skip
def train(source: str, out: str, **given: Any) -> None:
    """Learn word vectors from the texts of SOURCE, a file, a folder or a table, and write them to OUT.

    OUT is word2vec's binary form where it ends in .bin (with --kind fasttext, fastText's own, parts of words included), else
    text. Needs gensim: pip install 'cosimo[words]'.

    \b
    cosimo words train ~/notes notes.bin --glob '**/*.md' --min-count 3
    """
    from pathlib import Path

    from ...collection.words import train as make

    if Path(source).expanduser().exists() and Path(out).exists() and Path(source).expanduser().samefile(out):
        raise click.UsageError("OUT is the text itself; name another file.")
    made = make(
        _texts(source, given["pattern"]), out, kind=given["kind"], dim=given["dim"], window=given["window"],
        min_count=given["min_count"], epochs=given["epochs"], skipgram=not given["cbow"], seed=given["seed"],
        threads=given["threads"],
    )  # fmt: skip
    if not given["quiet"]:
        click.echo(
            f"{out}: {made.words:,} words of {made.dim} numbers, from {made.tokens:,} in {made.sentences:,} sentences", err=True
        )


@words.command()
@click.argument("texts", nargs=-1, required=True)
@options.stacked(
    click.option(
        "--word", help="Compare this word between the texts instead: the cosine of the first text's with each other's."
    ),
    options.model,
    options.as_json,
)
def tokens(texts: tuple[str, ...], *, word: str | None, model: str | None, as_json: bool) -> None:
    """Print the tokens of TEXTS as a local model reads them, with their places and their vectors in these texts.

    \b
    cosimo words tokens 'the bank of the river' 'a bank lends money' --word bank
    """
    from ...collection.models import load_embedder
    from ...collection.words import embed_tokens
    from ...core.config import default_model

    if word is not None and len(texts) < 2:
        raise click.UsageError("--word compares a word between two texts or more.")
    embedder = load_embedder(model or default_model(), cache=False)
    read = [embed_tokens(text, model=embedder) for text in texts]
    if word is None:
        rows: Iterator[dict[str, Any]] = (
            {"text": number, "start": start, "end": end, "token": token, "embedding": vector.tolist()}
            for number, each in enumerate(read)
            for token, (start, end), vector in zip(each.tokens, each.spans, each.vectors, strict=True)
        )
        output.records(rows, ("text", "start", "end", "token"), as_json=as_json)
        return
    vectors = [each.of(word) for each in read]
    scores = ({"word": word, "a": texts[0], "b": text, "score": float(vectors[0] @ vector)}
              for text, vector in zip(texts[1:], vectors[1:], strict=True))  # fmt: skip
    output.records(scores, ("score", "a", "b"), as_json=as_json)


def _loaded(file: str, limit: int | None) -> Words:
    from ...collection.words import load

    table = load(file, limit=limit)
    for note in table.notes:
        click.echo(note, err=True)
    return table


def _put(table: Words, file: str, into: str, database: Path | None, busy_timeout: float) -> None:
    from .named import named

    with options.opened(database, writing=True, busy_timeout=busy_timeout) as db:
        put, left_out = table.into(named(db, into, f"words:{file}"))
    odd = f", {left_out:,} left out, whose vector or name no database can hold" if left_out else ""
    click.echo(f"{output.snippet(into)}: {put:,} words{odd}", err=True)


def _measured(table: Words, path: str) -> Iterator[dict[str, Any]]:
    from dataclasses import asdict

    from ...sources.word_questions import are_analogies

    if not are_analogies(path):
        likeness = asdict(table.likeness(path))
        yield {name: round(value, 4) if isinstance(value, float) else value for name, value in likeness.items()}
        return
    found = table.analogies(path)
    for section in (*found.sections, found.total):
        accuracy = section.accuracy
        yield {
            "section": section.name, "questions": section.questions, "covered": section.covered, "right": section.right,
            "accuracy": None if accuracy is None else round(accuracy, 4),
        }  # fmt: skip


def _texts(source: str, pattern: str) -> Iterator[str]:
    """The texts of whatever `cosimo.read` reads; a plain file is one text a line, since it may be large."""
    from pathlib import Path

    from ...collection.database import read

    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() in ("", ".txt", ".md"):
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            yield from lines
        return
    for document in read(path, pattern):
        if isinstance(document.content, str):
            yield document.content
