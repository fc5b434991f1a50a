/** The sessions of the suite: what one does with a shell in a day. What may differ between two runs is not printed. */
import { keys, line, look, press, prompt, type Session, type Step } from './session.ts';
import { screenSessions } from './screen_sessions.ts';

const { enter, interrupt, left, lineBegin, lineEnd, suspend, tab, up, down, backspace } = keys;
const leave = (status = 0): Step => ({ type: `exit ${status}${enter}` });

const editing: Session = {
  name: 'editing',
  steps: [
    line(`xcho${backspace}${lineBegin}${left}e${lineEnd}`, new RegExp(`not found\\n${prompt}$`)),
    line(`cho one $((6*7))${lineBegin}e`),
    line(`echo alpha beta gamma${keys.killWord}delta${keys.wordBack}${keys.wordBack}x${keys.wordForward}y`),
    line(`echo swpa${keys.transpose}${left.repeat(3)}${keys.killToEnd}${keys.yank}${keys.yank}`),
    line(`forget this${keys.killToBegin}echo "again: ${keys.yank}"`),
    line(`echo ${'a long line that wraps '.repeat(5)}${lineBegin}${keys.right.repeat(5)}BEGIN ${lineEnd} END`),
    press(`echo kept${keys.clear}`, /kept[^]*kept$/),
    line(' through the clearing'),
    line(`echo deleted${left.repeat(4)}${keys.endOfInput.repeat(2)}`),
    line(`set -o vi`),
    line(`echo vi mode${keys.escape}bbcwVI${keys.escape}$a works`),
    leave(3),
  ],
  ends: 3,
};

const history: Session = {
  name: 'history',
  steps: [
    line('echo first'),
    line('echo second word'),
    line(`${up}${up}`),
    line(`${up}${up}${down}${left}${left}_`),
    line('echo !!'),
    line('echo !$ and !echo:1'),
    line('^echo^printf "%s\\n"'),
    line(`${keys.searchBack}sec${lineEnd} found`),
    look(`${keys.searchBack}no such line`, /\(failed reverse-i-search\)`no such line'/),
    press(interrupt, /\^C\nready> $/),
    line('history | tail -3'),
    line('fc -s first=third echo\\ first 2>&1; echo status $?'),
    leave(),
  ],
};

const completion: Session = {
  name: 'completion',
  prepare: 'mkdir -p box/inner; touch box/apple box/apricot box/banana "box/with space" marker; chmod +x marker',
  steps: [
    line(`ls b${tab}ban${tab}`),
    press(`echo box/a${tab}`, /box\/ap$/),
    press(`${tab}${tab}`, /apple +apricot\s+ready> echo box\/ap$/),
    line(`r${tab}`),
    line(`echo box/w${tab}done`),
    line(`cd box/i${tab}`),
    line(`cd ..; echo $OLDP${tab}`),
    line(`shop${tab} -q login_shell; echo $?`),
    line(`longvariable=7; echo $longv${tab}`),
    line('complete -W "north south" go; go() { echo going "$1"; }'),
    line(`go n${tab}`),
    leave(),
  ],
};

const started = /started\n$/;
const starting = (command: string): Step => line(`sh -c 'echo started; exec ${command}'`, started);

/** The answer to a line that is not the end of a command. */
const more = /\n> $/;

const interrupts: Session = {
  name: 'interrupts',
  steps: [
    ...Array.from({ length: 10 }, () => [press('half a line', /line$/), press(interrupt, /\^C\nready> $/)]).flat(),
    line('echo status $?'),
    starting('sleep 1000'),
    press(interrupt),
    line('echo status $?'),
    line('ulimit -c 0'),
    starting('sleep 1000'),
    press(keys.quit),
    line('echo status $?'),
    line('echo looping; while :; do :; done', /\nlooping\n$/),
    press(interrupt),
    line('echo status $?'),
    line('for n in 1 2 3; do sh -c "echo started; exec sleep 1000"; done', started),
    press(interrupt),
    line(`cat | sh -c "trap '' INT; echo started; cat"`, started),
    press(interrupt, /ready> $/),
    line('echo "${PIPESTATUS[@]}"'),
    line("(trap 'echo caught; exit 9' INT; echo started; while :; do :; done)", started),
    press(interrupt, /caught\n[^]*ready> $/),
    line('echo status $?'),
    line('cat <<END', more),
    press('text', /text$/),
    press(interrupt, /\^C\nready> $/),
    leave(),
  ],
};

const jobs: Session = {
  name: 'jobs',
  steps: [
    starting('sleep 2000'),
    press(suspend, /Stopped[^]*ready> $/),
    line('jobs'),
    line('bg'),
    line('jobs -l'),
    line('sleep 3000 &'),
    line('jobs -r'),
    line('fg %1', /exec sleep 2000'\n$/),
    press(suspend, /Stopped[^]*ready> $/),
    line('bg; kill %1; wait %1 2>&-; echo status $?', /\nstatus 143\n[^]*ready> $/),
    line('kill -KILL %2; wait %2 2>&-; echo status $?', /\nstatus 137\n[^]*ready> $/),
    line('sh -c "exit 6" & wait $!; echo status $?', /\nstatus 6\n[^]*ready> $/),
    line('(sleep 0.5; exit 4) & (sleep 1000; exit 5) & wait -n; echo status $?', /\nstatus 4\n[^]*ready> $/),
    // Not `wait` alone: of what has ended just before it bash says nothing, of what ends meanwhile it does.
    line('kill %?1000; wait %?1000 2>&-; echo status $?; jobs', /\nstatus 143\n[^]*ready> $/),
    line('sleep 1000 & disown; jobs; kill $!; wait $! 2>&-'),
    starting('cat'),
    press(`line one${enter}`, /line one\nline one\n$/),
    press(suspend, /Stopped[^]*ready> $/),
    line('exit', /stopped jobs[^]*ready> $/),
    line('%', /exec cat'\n$/),
    press(`line two${enter}`, /line two\nline two\n$/),
    press(keys.endOfInput, /ready> $/),
    line('while sleep 0.01; do sh -c "echo started; kill -TSTP \\$\\$"; break; done', /Stopped[^]*ready> $/),
    line('fg; jobs'),
    leave(),
  ],
};

const pipelines: Session = {
  name: 'pipelines',
  steps: [
    line(`printf 'b\\na\\n' | sort | tr a-z A-Z`),
    line('true | false | (exit 3); echo "${PIPESTATUS[*]}"'),
    line('cat <<END', more),
    line('sum $((1+1))', more),
    line('$(echo nested)', more),
    line('END'),
    line("cat <<-'END'", more),
    line('$unchanged', more),
    line('END'),
    line('tr a-z A-Z <<< "here $(( 3 * 4 ))"'),
    line('diff <(printf "1\\n2\\n") <(printf "1\\n3\\n"); echo status $?'),
    line('exec 4> >(tr a-z A-Z > side); echo to the side >&4; exec 4>&-; wait $!; cat side'),
    line('(cd /; pwd; exit 5); echo status $?; { echo group; } > out; cat out'),
    line('seq 1 200 | while read -r n; do sum=$((sum + n)); [ $n = 200 ] && echo $sum; done'),
    line('exec 3<> out; read -r -u 3 word; echo "read $word"; exec 3>&-'),
    line('coproc { while read -r l; do echo "got $l"; done; }', /ready> $/),
    line('echo ping >&"${COPROC[1]}"; read -r answer <&"${COPROC[0]}"; echo "$answer"'),
    line('kill $COPROC_PID; wait $COPROC_PID 2>&-; echo gone', /gone\n[^]*ready> $/),
    line('mkfifo pipe; ( (echo through > pipe) & cat pipe; wait); rm pipe', /through\n[^]*ready> $/),
    line('for i in {1..20}; do echo "$(echo $((i * i)))"; done | paste -sd+ - | xargs echo squares'),
    line('f() { local x=$1; [ $x -gt 0 ] && echo -n "$x " && (f $((x - 1))) || echo lift-off; }; f 8'),
    line('yes | head -3000 | wc -l; echo "${PIPESTATUS[0]}"'),
    leave(),
  ],
};

const traps: Session = {
  name: 'traps',
  steps: [
    line("trap 'echo INTERRUPTED' INT"),
    press(interrupt, /INTERRUPTED[^]*ready> $/),
    line('trap'),
    starting('sleep 1000'),
    press(interrupt),
    line('trap - INT'),
    line("trap 'echo CHILD' CHLD; sh -c 'exit 0'; trap - CHLD"),
    line("trap 'echo USER $?' USR1; kill -USR1 $$; (kill -USR1 $$); sleep 0.01; echo after"),
    line('(trap "echo leaving" EXIT; echo in); echo out'),
    line('g() { trap "echo returned" RETURN; echo inside; }; g; trap - RETURN'),
    line("trap 'echo failed' ERR; false; trap - ERR"),
    line("trap '' TERM; kill $$; echo alive; trap - TERM"),
    line('bash -c \'trap "echo cleaned; exit 7" TERM; kill $$; sleep 10\'; echo status $?'),
    line('trap "echo good bye" EXIT'),
    leave(2),
  ],
  ends: 2,
};

const window: Session = {
  name: 'window',
  steps: [
    line('stty size; echo $LINES $COLUMNS'),
    line("trap 'echo CHANGED' WINCH"),
    { type: '', resize: [30, 100], answer: /CHANGED/ },
    line(''),
    line('trap - WINCH; stty size; echo $LINES $COLUMNS'),
    press('echo a line that is being edited while the window', /window$/),
    { type: '', resize: [20, 60] },
    line(` changes, and wraps where it did not before${lineBegin}${keys.right}`),
    line('stty size; echo $LINES $COLUMNS'),
    line('sh -c \'trap "stty size; exit" WINCH; echo started; while :; do sleep 0.02; done\'', started),
    { type: '', resize: [24, 80], answer: /24 80\nready> $/ },
    line('stty size; tput cols'),
    line('stty -echo; stty -a | grep -o -- -echo.; stty echo', /ready> $/),
    leave(),
  ],
};

const reading: Session = {
  name: 'reading',
  steps: [
    line('read -r -p "name? " name', /name\? $/),
    press(`Ada Lovelace${enter}`),
    line('read -r -t 0.3 none; echo "status $? [$none]"'),
    line('read -r -n 1 -p "key? " key; echo; echo "[$key]"', /key\? $/),
    press('q'),
    line('read -r -s -p "secret? " secret; echo', /secret\? $/),
    press(`swordfish${enter}`),
    line('echo "$name, $secret"'),
    line('read -r -e -p "edit> " text; echo "<$text>"', /edit> $/),
    press(`wodr${keys.transpose}${lineBegin}a ${enter}`),
    line('read -r -t 30 late', /\n$/),
    press(`in time${enter}`),
    line('echo "$late"; select what in red green; do echo "chose $what"; break; done', /#\? $/),
    press(`2${enter}`),
    line('while read -r w; do echo "<$w>"; done', /\n$/),
    press(`one${enter}`, /<one>\n$/),
    press(keys.endOfInput, /ready> $/),
    line('cat | tr a-z A-Z', /\n$/),
    press(`shout${enter}${keys.endOfInput}`, /SHOUT\nready> $/),
    line('read -r -d x until; echo; echo "[$until]"', /\n$/),
    press('abcx'),
    // The prompt says that the builtin has begun. Ctrl-C between the end of the line and that makes bash run the rest of the
    // line ("ead: command not found"), natively too where its CPU is busy: 28 times in 60 on one that others shared.
    line('read -r -p "broken? " broken', /\nbroken\? $/),
    press(interrupt),
    leave(),
  ],
};

/** A job in the background comes to be stopped; the shell knows it before it prompts again, and says so there. */
function stopsInBackground(command: string): Step {
  return line(`${command} & until [[ $(jobs) == *Stopped* ]]; do sleep 0.02; done`, /Stopped[^]*ready> $/);
}

const background: Session = {
  name: 'background',
  steps: [
    stopsInBackground('cat'),
    line('fg', /\ncat\n$/),
    press(`to the front${enter}`, /to the front\nto the front\n$/),
    press(keys.endOfInput, /ready> $/),
    stopsInBackground('(read -r l; echo "read $l")'),
    line('fg', /\)\n$/),
    press(`words${enter}`, /read words\nready> $/),
    stopsInBackground('stty tostop; (echo loud)'),
    line('fg; stty -tostop', /loud\nready> $/),
    line('(trap \'\' TTIN; read -r l; echo "status $?") & wait', /status 1[^]*ready> $/),
    stopsInBackground('(stty -echo)'),
    line('kill -9 %1; until [[ $(jobs) != *Stopped* ]]; do sleep 0.02; done; jobs', /ready> $/),
    leave(),
  ],
};

const shells: Session = {
  name: 'shells',
  executes: true,
  steps: [
    line(`PS1='inner$ ' bash --norc --noprofile -i`, /inner\$ $/),
    line('echo $((SHLVL - 1 > 0)); sleep 1000 &', /inner\$ $/),
    line('jobs', /inner\$ $/),
    line('suspend', /Stopped[^]*ready> $/),
    line('fg', /inner\$ $/),
    line('kill %1; wait 2>&-; exit 4', /exit\n[^]*ready> $/),
    line('echo status $?'),
    line('set +m; sleep 1000 & jobs; kill %1; wait 2>&-; set -m', /Running[^]*ready> $/),
    // Not `wait`: to whom the end of a stopped job has not come yet, bash says that the job is stopped, natively, too.
    line(
      'bash -c \'set -m; sh -c "kill -STOP \\$\\$"; jobs; kill -9 %1; while [[ $(jobs) = *Stopped* ]]; do sleep 0.02; done; jobs\' 2>&1',
      /ready> $/,
    ),
    line('ulimit -n 77; ulimit -Sn; ulimit -c 0; ulimit -c; umask 027; umask'),
    line('{ time -p true; } 2>/dev/null; echo $?'),
    line('sh -c \'echo "$0 $1"\' name arg; command -v true; type cd'),
    line("script -q -c 'stty size; tty | tr -d 0-9; echo in a script' /dev/null"),
    line(`script -q -c "PS1='deep$ ' bash --norc --noprofile -i" /dev/null`, /deep\$ $/),
    line('tty | tr -d 0-9; sh -c "echo started; exec sleep 1000"', started),
    press(interrupt, /deep\$ $/),
    line('exit 6', /ready> $/),
    line('(exec sh -c "echo replaced; exit 8"); echo status $?'),
    line('exec sh -c "echo instead; exit 11"', /instead\n$/),
  ],
  ends: 11,
};

const hangUp: Session = {
  name: 'hang-up',
  steps: [
    line("(trap 'echo hung up > farewell; exit' HUP; echo > waits; while sleep 0.02; do :; done) &", /ready> $/),
    line('until [ -e waits ]; do sleep 0.02; done'),
    line('sleep 1000 & disown -h; echo $! > kept', /ready> $/),
    line('trap "echo leaving > left" EXIT', /ready> $/),
    { type: '', hangUp: true },
  ],
  ends: 129,
  after: 'until [ -s farewell ]; do sleep 0.05; done; cat farewell left; kill $(cat kept)',
};

export const sessions: readonly Session[] = [
  editing,
  history,
  completion,
  interrupts,
  jobs,
  pipelines,
  traps,
  window,
  reading,
  background,
  shells,
  hangUp,
  ...screenSessions,
];
