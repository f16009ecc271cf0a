"""``python -m examples.microscope``: write the page."""

from pathlib import Path

import click

from examples.microscope import export, kernels
from examples.microscope.page import page
from googlenet.commands.errors import usage
from googlenet.sentences import sentence
from minigrad.checkpoint import write_whole

NAMES = list(dict.fromkeys(kernel.name for kernel in kernels.presets()))


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path), default="microscope.html", show_default=True,
    help="The file to write.",
)  # fmt: skip
@click.option(
    "--image", type=click.Path(path_type=Path),
    help="A picture of your own, instead of the ankle boot: its middle, in grey.",
)  # fmt: skip
@click.option(
    "--kernel", default=export.START, show_default=True, metavar="NAME|NUMBERS",
    help=f"The kernel to open with: {', '.join(NAMES)}, or 1, 4, 9, 16 or 25 numbers.",
)  # fmt: skip
def main(output: Path, image: Path | None, kernel: str) -> None:
    """Write the convolution microscope: one HTML page, which needs nothing but a browser."""
    with usage():
        shown = export.picture(image) if image else export.boot()
        own = None if kernel in NAMES else kernels.own(kernel)
    data = export.everything(shown, own)
    data["start"] = own.name if own else kernel
    content = page(data).encode()
    try:
        write_whole(output, content)
    except OSError as error:
        raise click.ClickException(sentence(error)) from None
    click.echo(f"{output}: {len(content) / 1000:.0f} kB. Open it in a browser.")


if __name__ == "__main__":
    main(prog_name="python -m examples.microscope")
