// What a file is likely to be by the end of its name: enough for a drawing beside it. What counts is what the node says
// in a search; a share is listed without it.

const ENDINGS = {
  audio: "mp3 flac ogg oga opus m4a m4b aac wav aif aiff wma ape wv mid midi",
  video: "mp4 m4v mkv webm mov avi mpg mpeg m2ts mts ogv wmv flv 3gp",
  image: "jpg jpeg png gif webp avif heic tif tiff bmp svg ico psd xcf jxl cr2 nef arw dng",
  document: "txt md rst log csv html htm pdf epub mobi azw3 fb2 djvu ps rtf tex doc docx xls xlsx ppt pptx odt ods odp cbz cbr",
  archive: "zip 7z rar tar gz tgz bz2 xz zst iso img",
  program: "exe msi deb rpm appimage apk dmg jar sh bat",
};

const BY_ENDING = new Map(
  Object.entries(ENDINGS).flatMap(([type, endings]) => endings.split(" ").map((ending) => [ending, type])),
);

/** The kind of a share or of an entry of a folder, for TypeIcon. */
export function typeOf({ kind, name }) {
  if (kind === "folder") return "folder";
  return BY_ENDING.get(name.slice(name.lastIndexOf(".") + 1).toLowerCase()) ?? "other";
}
