// Reads a JSON list of LogQL expressions from stdin and prints the list of their trees, as Grafana's own grammar has them.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { parser } = createRequire(process.argv[2])("@grafana/lezer-logql");

function tree(cursor, text) {
  const node = { name: cursor.type.name, text: text.slice(cursor.from, cursor.to), broken: cursor.type.isError, children: [] };
  if (cursor.firstChild()) {
    do node.children.push(tree(cursor, text));
    while (cursor.nextSibling());
    cursor.parent();
  }
  return node;
}

const expressions = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(expressions.map((text) => tree(parser.parse(text).cursor(), text))));
