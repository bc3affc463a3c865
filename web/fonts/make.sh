#!/usr/bin/env bash
# Makes the font subsets of the PDF receipts. Needs fonttools (pyftsubset) and the unpacked Debian packages
# fonts-noto-core and fonts-noto-cjk.
#
#   web/fonts/make.sh DIRECTORY_WITH_TRUETYPE_AND_OPENTYPE    (usually /usr/share/fonts)
set -euo pipefail
cd "$(dirname "$0")"
from=$1
options=(--layout-features='*' --no-hinting --desubroutinize --name-IDs='0,1,2,3,4,5,6,13,14' --notdef-outline --drop-tables+=FFTM)

latin='U+20-7E,U+A0-17F,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+2030,U+20A8,U+20AC,U+20B9,U+2212,U+D7'
for weight in Regular Bold; do
  pyftsubset "$from/truetype/noto/NotoSans-$weight.ttf" "${options[@]}" --layout-features='kern,mark,mkmk,ccmp,locl,tnum' \
    --unicodes="$latin" --output-file="NotoSans-$weight.ttf"
  pyftsubset "$from/truetype/noto/NotoNaskhArabic-$weight.ttf" "${options[@]}" \
    --unicodes='U+20,U+600-6FF,U+200C-200F,U+FDF2,U+FDFA' --output-file="NotoNaskhArabic-$weight.ttf"
done

# Every Chinese character that our sentences and catalogs use, and the punctuation around them.
characters=$(mktemp)
cat ../locales/zh/*.ftl ../../catalog/*.toml ../tests/common/*.rs | python3 -c '
import sys
text = sys.stdin.read()
print("".join(sorted({c for c in text if c >= "\u2e80"} | set("　、。《》【】（），．：；！？％"))), end="")' > "$characters"
pyftsubset "$from/opentype/noto/NotoSansCJK-Regular.ttc" --font-number=2 "${options[@]}" --layout-features='kern,locl,palt' \
  --text-file="$characters" --output-file=NotoSansSC-Regular.otf
rm "$characters"
ls -l ./*.ttf ./*.otf
