"""What kind of thing a file is, told from its name: a MIME type, and one of eight broad classes people search by.

Invariant: the broad class depends on the MIME type alone, so two nodes that hold the same record agree on it. Nothing
is read from disk and no system table is asked, so every node answers the same; what a file truly holds is not checked.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class MediaType(StrEnum):
    """The broad classes; `type:audio` in a query names one."""

    AUDIO = "audio"
    VIDEO = "video"
    IMAGE = "image"
    TEXT = "text"
    DOCUMENT = "document"
    ARCHIVE = "archive"
    PROGRAM = "program"
    FOLDER = "folder"
    OTHER = "other"


UNKNOWN_MIME: Final = "application/octet-stream"
FOLDER_MIME: Final = "inode/directory"
MAX_EXTENSION_CHARS: Final = 16  # longer ones are sentences with a dot in them

# Grouped by class; the class of what is not listed follows from the family before the slash.
_KNOWN: Final = {
    MediaType.AUDIO: {
        "audio/mpeg": "mp3 mp2",
        "audio/flac": "flac",
        "audio/ogg": "ogg oga opus spx",
        "audio/mp4": "m4a m4b",
        "audio/aac": "aac",
        "audio/x-wav": "wav",
        "audio/aiff": "aif aiff",
        "audio/x-ms-wma": "wma",
        "audio/x-ape": "ape",
        "audio/x-wavpack": "wv",
        "audio/x-musepack": "mpc",
        "audio/midi": "mid midi",
        "audio/amr": "amr",
        "audio/x-dsf": "dsf dff",
        "audio/x-mpegurl": "m3u m3u8 pls",
    },
    MediaType.VIDEO: {
        "video/mp4": "mp4 m4v",
        "video/x-matroska": "mkv",
        "video/webm": "webm",
        "video/quicktime": "mov qt",
        "video/x-msvideo": "avi",
        "video/mpeg": "mpg mpeg vob",
        "video/mp2t": "m2ts mts",
        "video/ogg": "ogv",
        "video/x-ms-wmv": "wmv asf",
        "video/x-flv": "flv",
        "video/3gpp": "3gp 3g2",
    },
    MediaType.IMAGE: {
        "image/jpeg": "jpg jpeg jpe",
        "image/png": "png",
        "image/gif": "gif",
        "image/webp": "webp",
        "image/avif": "avif",
        "image/heic": "heic heif",
        "image/tiff": "tif tiff",
        "image/bmp": "bmp",
        "image/svg+xml": "svg svgz",
        "image/x-icon": "ico",
        "image/vnd.adobe.photoshop": "psd",
        "image/x-xcf": "xcf",
        "image/x-raw": "raw cr2 cr3 nef arw dng orf rw2",
        "image/jxl": "jxl",
    },
    MediaType.TEXT: {
        "text/plain": "txt text log nfo",
        "text/markdown": "md markdown rst",
        "text/html": "html htm xhtml",
        "text/css": "css",
        "text/csv": "csv tsv",
        "text/xml": "xml xsl",
        "text/x-source": "py c h cc cpp hpp rs go java kt swift js mjs ts tsx rb pl lua hs ml scala cs sql",
        "text/vcard": "vcf",
        "text/calendar": "ics",
        "text/x-subtitle": "srt vtt ass ssa sub",
        "text/json": "json jsonl toml yaml yml ini cfg conf",
    },
    MediaType.DOCUMENT: {
        "application/pdf": "pdf",
        "application/epub+zip": "epub",
        "application/x-mobipocket-ebook": "mobi azw azw3",
        "application/x-fictionbook": "fb2",
        "image/vnd.djvu": "djvu djv",
        "application/postscript": "ps eps",
        "application/rtf": "rtf",
        "application/x-tex": "tex latex bib",
        "application/msword": "doc dot",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx dotx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "application/vnd.ms-powerpoint": "ppt pps",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx ppsx",
        "application/vnd.oasis.opendocument.text": "odt",
        "application/vnd.oasis.opendocument.spreadsheet": "ods",
        "application/vnd.oasis.opendocument.presentation": "odp",
        "application/vnd.comicbook": "cbz cbr cb7",
    },
    MediaType.ARCHIVE: {
        "application/zip": "zip",
        "application/x-7z-compressed": "7z",
        "application/vnd.rar": "rar",
        "application/x-tar": "tar",
        "application/gzip": "gz tgz",
        "application/x-bzip2": "bz2 tbz tbz2",
        "application/x-xz": "xz txz lzma",
        "application/zstd": "zst tzst",
        "application/x-lz4": "lz4",
        "application/x-iso9660-image": "iso img",
        "application/x-apple-diskimage": "dmg",
        "application/x-cpio": "cpio",
        "application/vnd.ms-cab-compressed": "cab",
    },
    MediaType.PROGRAM: {
        "application/vnd.microsoft.portable-executable": "exe dll msi scr com",
        "application/x-shellscript": "sh bash zsh fish",
        "application/x-bat": "bat cmd ps1 vbs",
        "application/java-archive": "jar war",
        "application/vnd.android.package-archive": "apk",
        "application/x-executable": "bin run elf so appimage",
        "application/vnd.debian.binary-package": "deb",
        "application/x-rpm": "rpm",
        "application/vnd.flatpak": "flatpak flatpakref snap",
        "application/wasm": "wasm",
        "application/x-python-wheel": "whl",
    },
}
_BY_EXTENSION: Final = {
    extension: mime for known in _KNOWN.values() for mime, names in known.items() for extension in names.split()
}
_BY_MIME: Final = {mime: media_type for media_type, known in _KNOWN.items() for mime in known} | {
    FOLDER_MIME: MediaType.FOLDER
}
_FAMILIES: Final = frozenset({MediaType.AUDIO, MediaType.VIDEO, MediaType.IMAGE, MediaType.TEXT})


def extension_of(name: str) -> str:
    """Return what follows the last dot of a file name, in lower case; empty where there is nothing of the kind."""
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or not extension or len(extension) > MAX_EXTENSION_CHARS:
        return ""
    return extension.casefold()


def mime_of(name: str) -> str:
    """Tell the MIME type of a file from its name; `application/octet-stream` when the extension says nothing."""
    return _BY_EXTENSION.get(extension_of(name), UNKNOWN_MIME)


def media_type_of(mime: str) -> MediaType:
    """Tell the broad class of a MIME type."""
    known = _BY_MIME.get(mime)
    if known is not None:
        return known
    family = mime.partition("/")[0]
    return MediaType(family) if family in _FAMILIES else MediaType.OTHER
