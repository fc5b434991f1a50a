/** Completion for bash: one function for all commands, and a table of them (bash(1), "Programmable Completion"). */
import type { CommandDescription } from '../../lib/command.ts';
import { LIVE_KINDS, offerOf, optionsOf, spellings, verbsOf } from './shape.ts';

export function bashCompletion(commands: readonly CommandDescription[]): string {
  const verbs = verbsOf(commands);
  const classic = commands.filter(({ name }) => !name.includes(' ')).map(({ name }) => name);
  return `# Completion of the MOSIX commands for bash, made by: mosix completion bash

_mosix_command() { # the verb: sets name
  case $1 in
${verbs.map(([verb, { name }]) => `    ${verb}) name='${name}' ;;`).join('\n')}
    *) name= ;;
  esac
}

_mosix_shape() { # sets options, values (option=offer), operands (an offer each) and stop
  options= values= operands=() stop=
  case $name in
${commands.map(shape).join('\n')}
  esac
}

${OFFER}
${completion(verbs)}
complete -o filenames -o bashdefault -F _mosix ${classic.join(' ')}
`;
}

function shape(command: CommandDescription): string {
  const options = optionsOf(command);
  const values = options.flatMap((one) => {
    const { value } = one;
    // A list of such pairs stands in one variable: no blanks within.
    return value === undefined ? [] : spellings(one).map((each) => `${each}:${offerOf(value).replaceAll(' ', ',')}`);
  });
  const operands = command.operands.map((one) => `'${offerOf(one)}${one.many ? '+' : ''}'`);
  return [
    `    '${command.name}')`,
    `      options='${options.flatMap(spellings).join(' ')}'`,
    `      values='${values.join(' ')}'`,
    `      operands=(${operands.join(' ')}) stop=${command.stopAtOperand ? 1 : ''} ;;`,
  ].join('\n');
}

const OFFER = `_mosix_offer() { # sets COMPREPLY to what $1 offers
  case $1 in
    =*) COMPREPLY=($(compgen -W "\${1#=}" -- "$word")) ;;
    ${LIVE_KINDS.join(' | ')})
      COMPREPLY=($(compgen -W "$("$mosix" completion --words "$1" 2>/dev/null | cut -f1)" -- "$word")) ;;
    signal) COMPREPLY=($(compgen -A signal -- "$word")) ;;
    program) COMPREPLY=($(compgen -c -- "$word")) ;;
    file) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
`;

function completion(verbs: readonly (readonly [verb: string, command: CommandDescription])[]): string {
  return `_mosix() {
  local word=\${COMP_WORDS[COMP_CWORD]} name=\${COMP_WORDS[0]##*/} mosix=mosix
  local options values operands stop at=1 seen=0 each pending= one
  COMPREPLY=()
  # A checkout need not be on the path.
  case \${COMP_WORDS[0]} in */*) mosix=\${COMP_WORDS[0]%/*}/mosix ;; esac
  if [[ $name == mosix ]]; then
    if ((COMP_CWORD == 1)); then
      COMPREPLY=($(compgen -W '${verbs.map(([verb]) => verb).join(' ')} --help' -- "$word"))
      return
    fi
    _mosix_command "\${COMP_WORDS[1]}"
    at=2
  fi
  _mosix_shape
  for ((; at < COMP_CWORD; at++)); do
    each=\${COMP_WORDS[at]}
    if [[ -n $pending ]]; then pending=; continue; fi
    if [[ $each == -?* ]]; then
      for one in $values; do if [[ \${one%%:*} == "$each" ]]; then pending=\${one#*:}; fi; done
      continue
    fi
    if [[ -n $stop ]]; then
      if declare -F _command_offset >/dev/null; then _command_offset "$at"; else COMPREPLY=($(compgen -f -- "$word")); fi
      return
    fi
    seen=$((seen + 1))
  done
  if [[ -n $pending ]]; then
    _mosix_offer "\${pending//,/ }"
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif ((\${#operands[@]} > 0)); then
    if ((seen >= \${#operands[@]})); then
      if [[ \${operands[-1]} != *+ ]]; then return; fi
      seen=$((\${#operands[@]} - 1))
    fi
    _mosix_offer "\${operands[seen]%+}"
  fi
}
`;
}
