/** Completion for zsh: `_arguments` of zshcompsys(1), a function for each command. */
import type { CommandDescription, ValueDescription } from '../../lib/command.ts';
import { inQuotes, LIVE_KINDS, optionsOf, spellings, verbsOf, type OptionShape } from './shape.ts';

export function zshCompletion(commands: readonly CommandDescription[]): string {
  const verbs = verbsOf(commands);
  const classic = commands.filter(({ name }) => !name.includes(' ') && name !== 'mosix');
  return `#compdef mosix ${classic.map(({ name }) => name).join(' ')}
# Completion of the MOSIX commands for zsh, made by: mosix completion zsh

_mosix_live() { # what there is of the kind $1, with what it is
  local -a offers
  offers=(\${(f)"$(_call_program words $_mosix_path completion --words $1 2>/dev/null)"})
  offers=(\${offers//:/\\:})
  offers=(\${offers/$'\t'/:})
  _describe -t $1 $1 offers
}

${commands.map(functionOf).join('\n\n')}

_mosix_verbs() {
  local -a verbs
  verbs=(
${verbs.map(([verb, { summary }]) => `    '${verb}:${inQuotes(summary, "'\\''").replaceAll(':', '\\:')}'`).join('\n')}
  )
  _describe -t verbs verb verbs
}

_mosix() {
  local _mosix_path=mosix
  # A checkout need not be on the path.
  if [[ $words[1] == */* ]]; then _mosix_path=\${words[1]%/*}/mosix; fi
  if [[ \${words[1]:t} != mosix ]]; then
    _mosix_\${words[1]:t}
    return
  fi
  if ((CURRENT == 2)); then
    _mosix_verbs
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${verbs.map(([verb, { name }]) => `    ${verb}) _mosix_${idOf(name)} ;;`).join('\n')}
  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _mosix "$@"
else
  compdef _mosix mosix ${classic.map(({ name }) => name).join(' ')}
fi
`;
}

function functionOf(command: CommandDescription): string {
  const { operands, stopAtOperand } = command;
  const specs = [
    ...optionsOf(command).map(optionSpec),
    ...operands.map((one) =>
      one.kind === 'program' ? `'*::${one.name}:_normal'` : `'${one.many ? '*' : ''}:${one.name}:${actionOf(one)}'`,
    ),
  ];
  // Options of a program that is run are its own.
  const flags = stopAtOperand ? '-s -S -A "-*"' : '-s';
  return `_mosix_${idOf(command.name)}() {\n  _arguments ${flags} \\\n    ${specs.join(' \\\n    ')}\n}`;
}

function optionSpec(option: OptionShape): string {
  const { value } = option;
  const names = spellings(option);
  const text = inQuotes(option.text, "'\\''").replaceAll(/[[\]:]/g, '\\$&');
  const action = value === undefined ? '' : `:${value.name}:${actionOf(value)}`;
  const [first, second] = names.map((name) => (value !== undefined && name.startsWith('--') ? `${name}=` : name));
  if (second === undefined) return `'${first}[${text}]${action}'`;
  return `'(${names.join(' ')})'{${first},${second}}'[${text}]${action}'`;
}

function actionOf({ kind, words }: ValueDescription): string {
  if (words !== undefined) return `(${words.join(' ')})`;
  if (LIVE_KINDS.includes(kind)) return ` _mosix_live ${kind}`; // the blank: called with nothing but this
  if (kind === 'file') return '_files';
  return kind === 'signal' ? '_signals' : ' ';
}

function idOf(name: string): string {
  return name.replace('mosix ', '').replaceAll(/\W/g, '_');
}
