"""Reads a lake's `cleaned` with each reader, and prints what it saw as one JSON object: {READER: {"types", "rows", "hours"}}."""
import json
import sys
from pathlib import Path

lake = Path(sys.argv[1])
files = sorted(str(path) for path in lake.glob("cleaned/*/*/*.parquet"))
seen = {}


def plain(value):
    """A value as JSON: times as ISO text, maps as objects."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return {name: part for name, part in value}
    return value.isoformat() if hasattr(value, "isoformat") else value


def keep(reader, types, rows, hours):
    rows = [{name: plain(value) for name, value in row.items()} for row in rows]
    seen[reader] = {"types": types, "rows": sorted(rows, key=lambda row: row["line"]), "hours": sorted(hours)}


def duckdb():
    import duckdb

    duckdb.sql("SET TimeZone = 'UTC'")
    # The folders' names are columns of their own there.
    table = duckdb.sql(f"SELECT * EXCLUDE (dt, hour) FROM '{lake}/cleaned/**/*.parquet'")
    hours = duckdb.sql(f"SELECT DISTINCT hour FROM '{lake}/cleaned/**/*.parquet' WHERE hour < 24").fetchall()
    rows = [dict(zip(table.columns, row)) for row in table.fetchall()]
    keep("duckdb", dict(zip(table.columns, map(str, table.types))), rows, [hour for hour, in hours])


def pyarrow():
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(lake / "cleaned", partitioning="hive").to_table()
    hours = set(table.column("hour").to_pylist())
    table = table.drop_columns(["dt", "hour"])
    keep("pyarrow", {field.name: str(field.type) for field in table.schema}, table.to_pylist(), hours)


def polars():
    import polars

    frame = polars.scan_parquet(lake / "cleaned", hive_partitioning=True).collect()
    hours = set(frame["hour"].to_list())
    frame = frame.drop("dt", "hour")
    maps = [dict((pair["key"], pair["value"]) for pair in pairs) if not isinstance(pairs, dict) else pairs for pairs in frame["attributes"].to_list()]
    rows = [dict(row, attributes=pairs) for row, pairs in zip(frame.to_dicts(), maps)]
    keep("polars", {name: str(kind) for name, kind in frame.schema.items()}, rows, hours)


def fastparquet():
    import fastparquet

    rows, types = [], {}
    for path in files:
        frame = fastparquet.ParquetFile(path).to_pandas()
        types = {name: str(kind) for name, kind in frame.dtypes.items()}
        for row in frame.to_dict("records"):
            row = {name: None if not isinstance(value, dict) and value != value else value for name, value in row.items()}
            rows.append({name: int(value) if name in ("severity_number", "status") and value is not None else value for name, value in row.items()})
    # It has no zone: the instant is that of UTC. Where all maps of a file are empty, it shows them as null.
    for row in rows:
        row["attributes"] = row["attributes"] or {}
        for name in ("time", "observed_time"):
            row[name] = row[name].tz_localize("UTC")
    keep("fastparquet", types, rows, [])


for reader in (duckdb, pyarrow, polars, fastparquet):
    reader()
json.dump(seen, sys.stdout)
