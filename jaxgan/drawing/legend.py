"""The colours and the legend of pictures that compare samples with data."""

import numpy as np

REAL, FAKE = (145, 145, 145), (31, 98, 170)  # colours of the data and of the samples
HEIGHT = 20  # height of a legend in pixels


def add_legend(picture: np.ndarray) -> np.ndarray:
    """Return a picture with a line above it that names its colours: grey for data, and blue for samples.

    Args:
      picture: the picture, uint8 [h, w, 3].

    Returns:
      The picture with the legend, uint8 [h + 20, max(w, 130), 3].
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width, _ = picture.shape
    sheet = Image.new("RGB", (max(width, 130), height + HEIGHT), (255, 255, 255))
    sheet.paste(Image.fromarray(picture), (0, HEIGHT))
    draw, font, x = ImageDraw.Draw(sheet), ImageFont.load_default(), 5
    for colour, name in ((REAL, "data"), (FAKE, "samples")):
        draw.rectangle((x, 5, x + 9, 14), fill=colour)
        draw.text((x + 14, 3), name, fill=(60, 60, 60), font=font)
        x += 55
    return np.asarray(sheet)
