// The request as a program: for a shell, in Python and in JavaScript. The key is never in it.

export const KINDS = ["curl", "python", "javascript"];

// `asked` has the address of the service with the choices, the language, the file's name, where the service has the
// picture itself or null, and whether a key is needed.
export function snippet(kind, asked) {
  return { curl: shell, python, javascript }[kind](asked).join("\n");
}

function shell({ url, name, sample, isKeyNeeded }) {
  const key = isKeyNeeded ? '-H "Authorization: Bearer $KEY" ' : "";
  if (sample) return [`curl -sS "${sample}" | curl -sS ${key}-F "file=@-;filename=${name}" "${url}"`]; // it is on no disk of yours
  // Double quotes are understood by every shell, Windows' too; odd names need those of POSIX shells.
  if (/^[\p{L}\p{N} _.()+-]+$/u.test(name)) return [`curl -sS ${key}-F "file=@${name}" "${url}"`];
  const inner = name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return [`curl -sS ${key}-F 'file=@"${inner.replaceAll("'", "'\\''")}"' '${url}'`];
}

function python({ url, lang, name, sample, isKeyNeeded }) {
  const key = isKeyNeeded ? `, "Authorization": f"Bearer {os.environ['KEY']}"` : "";
  return [
    "import json",
    ...(isKeyNeeded ? ["import os"] : []),
    "import urllib.request",
    ...(sample ? [] : ["from pathlib import Path"]),
    "",
    sample ? `picture = urllib.request.urlopen(${quoted(sample)}).read()` : `picture = Path(${quoted(name)}).read_bytes()`,
    "request = urllib.request.Request(",
    `    ${quoted(url)},`,
    "    data=picture,",
    `    headers={"Content-Type": "application/octet-stream"${key}},`,
    ")",
    "with urllib.request.urlopen(request) as answer:",
    '    for best in json.load(answer)["predictions"]:',
    `        print(f"{best['score']:.1%}  {best['${lang}']}")`,
  ];
}

function javascript({ url, sample, isKeyNeeded }) {
  return [
    "async function classify(picture) {",
    `  const answer = await fetch(${quoted(url)}, {`,
    '    method: "POST",',
    ...(isKeyNeeded ? ['    headers: { Authorization: "Bearer $KEY" },'] : []),
    "    body: picture,",
    "  });",
    "  const { predictions, error } = await answer.json();",
    "  if (error) throw new Error(error.message);",
    "  return predictions;",
    "}",
    "",
    sample
      ? `const picture = await (await fetch(${quoted(sample)})).blob();`
      : 'const [picture] = document.querySelector("input[type=file]").files;',
    "console.table(await classify(picture));",
  ];
}

// JSON's strings are Python's and JavaScript's, too.
function quoted(text) {
  return JSON.stringify(text);
}
