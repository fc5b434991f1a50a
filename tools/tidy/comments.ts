/**
 * Rules on comments: a file says first what it is, no code sleeps in comments, and no check is switched off in silence.
 */
import { parseSync, type Comment, type Directive, type Expression, type Statement } from 'oxc-parser';
import { finding, isTest, type FileRule, type SourceFile } from './source_file.ts';

/** The first thing in a file is a comment: what it is, what it promises, what it follows. Tests say it in their names. */
export const fileHeader: FileRule = (file) => {
  const text = file.text.replace(/^#!.*\n/, '').trimStart();
  return isTest(file.path) || text.startsWith('/*') || text.startsWith('//')
    ? []
    : [
        finding(
          file,
          0,
          'header',
          'no header: begin with a comment on what this is, what it promises and what it follows',
        ),
      ];
};

export const commentedOutCode: FileRule = (file) =>
  groups(file)
    .filter((group) => looksLikeCode(group.text))
    .map((group) => finding(file, group.start, 'dead-code', 'code in a comment: delete it, git remembers'));

export const silencedChecks: FileRule = (file) =>
  file.comments
    .filter((comment) => /@ts-(ignore|nocheck|expect-error)|oxlint-disable(?!.* -- \S)/.test(comment.value))
    .map((comment) =>
      finding(
        file,
        comment.start,
        'silenced',
        'a check is switched off: mend the cause, or use oxlint-disable-next-line RULE -- reason',
      ),
    );

interface Group {
  readonly start: number;
  readonly text: string;
}

/** Line comments that stand under each other are one text; doc comments (with their examples) are left alone. */
function groups(file: SourceFile): Group[] {
  const result: { start: number; end: number; text: string }[] = [];
  for (const comment of file.comments.filter((each) => !isDocComment(each))) {
    const last = result.at(-1);
    const between = last === undefined ? '' : file.text.slice(last.end, comment.start);
    if (last !== undefined && comment.type === 'Line' && /^\n[ \t]*$/.test(between)) {
      last.text += `\n${comment.value}`;
      last.end = comment.end;
    } else {
      result.push({ start: comment.start, end: comment.end, text: comment.value });
    }
  }
  return result;
}

function isDocComment(comment: Comment): boolean {
  return comment.type === 'Block' && comment.value.startsWith('*');
}

/**
 * Code ends its lines as code does, and parses. Prose hardly ever does both; a list of plain words that does
 * (`// open, read, close;`) has no call, assignment or keyword in it.
 */
function looksLikeCode(text: string): boolean {
  const lines = text.split('\n').map((line) => line.trim());
  const endsAsCode = lines.some((line) => /[;{}]$|\);?$/.test(line));
  return endsAsCode && [text, ...lines.filter((line) => line.endsWith(';'))].some((part) => parsesAsCode(part));
}

function parsesAsCode(text: string): boolean {
  // In a CommonJS file a `return` may stand outside a function, as it does in a comment; imports are modules' alone.
  return (['commonjs', 'module'] as const).some((sourceType) => {
    const { program, errors } = parseSync('comment.ts', text, { sourceType });
    return errors.length === 0 && program.body.some((statement) => !isPlainWords(statement));
  });
}

function isPlainWords(statement: Directive | Statement): boolean {
  switch (statement.type) {
    case 'EmptyStatement':
    case 'LabeledStatement':
      return true;
    case 'BlockStatement':
      return statement.body.every(isPlainWords);
    case 'ExpressionStatement':
      return isPlainExpression(statement.expression);
    default:
      return false;
  }
}

/** A call like `send(2)` or `read()` is how man pages and functions are cited. */
function isPlainExpression(expression: Expression): boolean {
  if (expression.type === 'CallExpression') {
    const [first, ...more] = expression.arguments;
    return (
      expression.callee.type === 'Identifier' && more.length === 0 && (first === undefined || first.type === 'Literal')
    );
  }
  return !/^(Assignment|Await|New|Update)Expression$/.test(expression.type);
}
