"""``croissant.json``: the export for machine learning, in the vocabulary Croissant 1.0 of MLCommons.

Belongs here: that vocabulary. Does not belong here: what is known of a table (``description.py``).

Only Parquet is described: readers of Croissant guess the types of CSV before they cast them, so that codes lose their
zeros and ``non`` becomes true. References are told in words: where there is one, mlcroissant joins two record sets,
which fails if the second one has a reference too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from edu_pipeline.database.provenance import INVENTED
from edu_pipeline.export.datapackage import NAME, TITLE
from edu_pipeline.export.description import Collection, Described, Field
from edu_pipeline.export.files import ExportedFile
from edu_pipeline.export.form import PARQUET
from edu_pipeline.export.licences import licence

CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "sc:Text",
    pa.list_(pa.string()): "sc:Text",
    pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64",
    pa.float64(): "cr:Float64",
    pa.bool_(): "sc:Boolean",
    pa.date32(): "sc:Date",
    pa.binary(): "sc:Text",
}


def croissant(collection: Collection, files: Mapping[str, ExportedFile]) -> dict[str, Any] | None:
    """The description of the export; None if its files are not Parquet.

    Args:
        files: the file of each table, by name.
    """
    if any(file.media_type != PARQUET for file in files.values()):
        return None
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": NAME,
        "description": f"{TITLE}.{' ' + INVENTED if collection.invented else ''}",
        "url": "https://www.data.gouv.fr/",
        "version": f"{collection.day:%Y.%-m.%-d}",
        "datePublished": collection.day.isoformat(),
        "license": [known.url or known.title for known in map(licence, collection.licences)],
        "citeAs": f"edu_pipeline, {TITLE}, {collection.day}.",
        "creator": {"@type": "sc:Organization", "name": "edu_pipeline"},
        "distribution": [_file(files[table.name]) for table in collection.tables],
        "recordSet": [_record_set(table, files[table.name]) for table in collection.tables],
    }


def _file(file: ExportedFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _record_set(table: Described, file: ExportedFile) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.description,
        "key": [{"@id": f"{table.name}/{name}"} for name in table.key],
        "field": [_field(field, table, file) for field in table.fields],
    }


def _field(field: Field, table: Described, file: ExportedFile) -> dict[str, Any]:
    refers = f" (a key of {' or '.join(field.references)})" if field.references else ""
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table.name}/{field.name}",
        "name": field.name,
        "description": field.explanation + refers,
        "dataType": TYPES.get(field.arrow, "sc:Float"),
        "source": {"fileObject": {"@id": file.name}, "extract": {"column": field.name}},
    }
    if pa.types.is_list(field.arrow):
        described["repeated"] = True
    return described
