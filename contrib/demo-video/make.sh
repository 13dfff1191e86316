#!/bin/sh
# Makes the film that the demo network shares: src/peerage/app/demo/pieces.webm, 640 x 360, VP9 and Opus, 24 s.
# Needs ffmpeg (Debian: apt-get install ffmpeg; made with 5.1) and a Python with NumPy and Pillow. The film is all our
# own: drawn and plucked by draw.py, under the licence of this repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" "$here/draw.py" "$work" |
    ffmpeg -y -loglevel warning -f rawvideo -pixel_format rgb24 -video_size 640x360 -framerate 25 -i - -c:v ffv1 "$work/frames.mkv"
film() {
    ffmpeg -y -loglevel warning -i "$work/frames.mkv" -i "$work/sound.wav" \
        -c:v libvpx-vp9 -pix_fmt yuv420p -b:v 0 -crf 40 -g 50 -deadline good -cpu-used 1 -threads 1 -pass "$1" \
        -passlogfile "$work/pass" -c:a libopus -b:a 40k -map_metadata -1 -fflags +bitexact -flags +bitexact \
        -cluster_time_limit 2000 -f webm "$2"
}
film 1 /dev/null
film 2 "$here/../../src/peerage/app/demo/pieces.webm"
