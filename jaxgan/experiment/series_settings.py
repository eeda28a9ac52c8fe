"""The settings of experiments on series: how windows, classes and attributes are read from a file."""

import dataclasses

from jaxgan.data import Source
from jaxgan.data.series import load
from jaxgan.data.table_files import parse_types
from jaxgan.experiment.settings import CommonSettings
from jaxgan.media import Series


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeriesSettings(CommonSettings):
    """The settings of an experiment on windows of series, see ``jaxgan.data.series.load``."""

    # Data
    window: int | None
    """Number of rows of a window. By default, 24 for a file with one series, and the complete series if a file contains
    several of equal length."""
    stride: int = 1
    """Number of rows between the starts of consecutive windows."""
    test_fraction: float
    """Fraction of the windows that are kept as test windows, from 0 to below 1. If the file contains one series, they
    are later than the training windows, and no row belongs to both."""
    columns: tuple[str, ...] = ()
    """Columns of numbers to train on. By default, all columns without another role."""
    time_column: str | None = None
    """Column of times, which must increase. By default, the only column of dates, or a column of numbers that is called
    time, timestamp, datetime, date, t or step."""
    series_column: str | None = None
    """Column that tells the series of a file apart, such as the number of a patient."""
    label_column: str | None = None
    """Column of classes. A window contains rows of one class, and the networks are conditioned on the class."""
    attribute_columns: tuple[str, ...] = ()
    """Columns of static attributes, which are constant in each series. They are generated with the series."""
    types: tuple[str, ...] = ()
    """Types of columns that are not found correctly, such as age=category or day=date:%d/%m/%Y. The types are integer,
    number, boolean, date and category."""
    fill_missing: bool = False
    """Interpolate missing values linearly. By default, they are refused."""
    delimiter: str | None = None
    """Character between the cells of a text file. By default, it is found in the first rows."""
    encoding: str = "utf-8"
    """Encoding of a text file."""
    header: bool = True
    """Whether the first row of a file contains the names of the columns."""

    def load_series(self, source: Source | None = None) -> tuple[Source, Series]:
        """Return the windows that the settings name, and their medium.

        Args:
          source: the windows, as ``jaxgan.data.series.load`` returns them. By default, they are loaded.

        Raises:
          ValueError: if the data cannot be used, or the source has no details of the columns.
        """
        if source is None:
            source = load(
                self.data,
                window=self.window,
                stride=self.stride,
                test_fraction=self.test_fraction,
                columns=self.columns,
                time_column=self.time_column,
                series_column=self.series_column,
                label_column=self.label_column,
                attribute_columns=self.attribute_columns,
                types=parse_types(self.types),
                fill_missing=self.fill_missing,
                delimiter=self.delimiter,
                encoding=self.encoding,
                header=self.header,
            )
        details = getattr(source, "details", None) or {}
        if "columns" not in details:
            raise ValueError(
                f"{source.name} has examples of shape {source.shape} without bounds of columns, but this experiment "
                "requires windows of series. Load them with jaxgan.data.series.load."
            )
        return source, Series(**details)
