/**
 * Real programs as acceptance cases. Each uses 8 to 20 s of CPU time, so that every mode has time to act; a case whose
 * original input was shorter has a larger one here. All outputs are functions of the input alone.
 */
import type { Case, Mode } from './case.ts';

/** Text with a heavy-tailed choice of words: compresses as real text does. Made once, beside the cases' directories. */
const corpus = `[ -f ../corpus.txt ] || { /usr/bin/python3 - <<'P'
import random
random.seed(5)
words=[''.join(random.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(random.randrange(2,10))) for _ in range(30000)]
with open('../corpus.part','w') as f:
    for i in range(5000000):
        f.write(' '.join(words[int(random.paretovariate(.6))%30000] for _ in range(9))+' %d\\n'%random.randrange(10**6))
P
mv ../corpus.part ../corpus.txt; }
`;

const common = { schedule: 'early', shareAway: 0.9 } as const;
const stdout = { file: 'stdout' } as const;
/** The CPU time is used by children, of which only a placed job moves all. */
const placed: readonly Mode[] = ['home', 'remote'];

/** A PNG's pixels only: its time chunk differs from run to run. */
const pngPixels = `/usr/bin/python3 -c "
import sys,struct
d=sys.stdin.buffer.read();i=8;o=b''
while i<len(d):
    n,=struct.unpack('>I',d[i:i+4])
    if d[i+4:i+8]==b'IDAT': o+=d[i+8:i+8+n]
    i+=12+n
sys.stdout.buffer.write(o)"`;

export const workloads: readonly Case[] = [
  {
    ...common,
    name: 'py-pure',
    packages: ['python3'],
    hide: ['/usr/bin/python3*', '/usr/lib/python3*'],
    prepare: `cat > n.py <<'E'
def sieve(n):
    s=bytearray([1])*(n+1)
    for i in range(2,int(n**.5)+1):
        if s[i]: s[i*i::i]=bytearray(len(s[i*i::i]))
    return sum(s)-2
d={}
x=12345
for i in range(13000000):
    x=(x*1103515245+12345)&0x7fffffff
    d[x%500003]=d.get(x%500003,0)+(x>>7)
    if i%1000000==0: print(i,x,flush=True)
print(sieve(20000000),len(d),sum(d.values()))
def fib(n): return n if n<2 else fib(n-1)+fib(n-2)
print(fib(33))
E`,
    command: ['/usr/bin/python3', 'n.py'],
    verify: stdout,
  },
  {
    ...common,
    name: 'perl',
    packages: ['perl-base'],
    hide: ['/usr/bin/perl*', '/usr/lib/*/perl*', '/usr/share/perl*'],
    prepare: `cat > n.pl <<'E'
my %h; my $x=42; my $t='';
for my $i (1..10000000){ $x=($x*1103515245+12345)&0x7fffffff; $h{$x%400009}+=$x&255; $t.=chr(97+$x%26) if $i%3==0; }
my $c=0; for my $k (1..60){ $c++ while $t=~/[aeiou][^aeiou]{2}[xyz]/g; }
my $s=0; $s+=$_ for values %h; print "$c $s ",scalar(keys %h),"\\n";
E`,
    command: ['perl', 'n.pl'],
    verify: stdout,
  },
  {
    ...common,
    name: 'lua',
    packages: ['lua5.4'],
    hide: ['/usr/bin/lua*'],
    prepare: `cat > n.lua <<'E'
local x,h=42,{}
for i=1,230000000 do x=(x*1103515245+12345)&0x7fffffff; local k=x%400009; h[k]=(h[k] or 0)+(x&255) end
local s,c=0,0; for _,v in pairs(h) do s=s+v;c=c+1 end
local t={} for i=1,2000000 do t[i]=tostring(i*i) end
print(s,c,#table.concat(t))
E`,
    command: ['lua5.4', 'n.lua'],
    verify: stdout,
  },
  {
    ...common,
    name: 'c-static',
    packages: ['gcc', 'libc6-dev'],
    hide: [],
    prepare: `cat > a.c <<'E'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(){unsigned x=42;double s=0;size_t n=50u<<20;unsigned char*m=malloc(n);memset(m,1,n);for(long i=0;i<2400000000L;i++){x=x*1103515245u+12345u;if((i&15)==0){m[x%n]+=x>>24;}s+=(x>>16)&255;}unsigned long h=0;for(size_t i=0;i<n;i++)h=h*31+m[i];printf("%.0f %lx\\n",s,h);return 0;}
E
gcc -O1 -static a.c -o app`,
    command: ['./app'],
    verify: stdout,
  },
  {
    ...common,
    name: 'omp-c',
    packages: ['gcc', 'libc6-dev'],
    hide: ['/usr/lib/*/libgomp.so*'],
    env: { OMP_NUM_THREADS: '4' },
    prepare: `cat > a.c <<'E'
#include <stdio.h>
#include <math.h>
int main(){double t=0;for(int k=0;k<240;k++){double s=0;
#pragma omp parallel for reduction(+:s) schedule(static)
for(int i=0;i<8000000;i++)s+=floor(1000*sin(i*.001+k));t+=s;}printf("%.0f\\n",t);}
E
gcc -O2 -fopenmp a.c -o app -lm`,
    command: ['./app'],
    verify: stdout,
  },
  {
    ...common,
    name: 'xz-1',
    packages: ['xz-utils', 'python3'],
    hide: ['/usr/bin/xz'],
    prepare: `${corpus}head -c 20000000 ../corpus.txt > in`,
    command: ['xz', '-T1', '-6', '-k', '-f', 'in'],
    verify: { file: 'in.xz' },
  },
  {
    ...common,
    name: 'xz-4',
    packages: ['xz-utils', 'python3'],
    hide: ['/usr/bin/xz'],
    prepare: `${corpus}head -c 40000000 ../corpus.txt > in`,
    command: ['xz', '-T4', '--block-size=4MiB', '-6', '-k', '-f', 'in'],
    verify: { file: 'in.xz' },
  },
  {
    ...common,
    name: 'gzip',
    packages: ['gzip', 'python3'],
    hide: ['/usr/bin/gzip'],
    prepare: `${corpus}head -c 100000000 ../corpus.txt > in`,
    command: ['gzip', '-9', '-n', '-k', '-f', 'in'],
    verify: { file: 'in.gz' },
  },
  {
    ...common,
    name: 'gawk',
    packages: ['gawk', 'python3'],
    hide: ['/usr/bin/gawk'],
    prepare: `/usr/bin/python3 - <<'P'
import random
random.seed(3)
with open('in.txt','w') as f:
    for i in range(10000000): f.write(f"{random.randrange(100000)} w{random.randrange(50000)} {random.random():.5f}\\n")
P
cat > n.awk <<'E'
{c[$2]+=$3; n[$1 % 977]++; gsub(/[0-4]/,"x",$2); u[$2]++}
END{for(k in c) s+=c[k]; printf "%.3f %d %d\\n",s,length(n),length(u)}
E`,
    command: ['gawk', '-f', 'n.awk', 'in.txt'],
    verify: stdout,
  },
  {
    ...common,
    name: 'povray',
    packages: ['povray', 'python3'],
    hide: ['/usr/bin/povray', '/usr/share/povray*', '/etc/povray'],
    prepare: `cat > s.pov <<'E'
#version 3.7; global_settings{assumed_gamma 1 max_trace_level 9}
camera{location <0,4,-11> look_at 0} light_source{<8,12,-10> 1 area_light <3,0,0>,<0,3,0>,6,6 adaptive 1}
plane{y,-1.2 pigment{checker rgb 1 rgb .2} finish{reflection .2}}
#declare R=seed(3);
#for(I,0,60) sphere{<rand(R)*10-5,rand(R)*4-1,rand(R)*10-5>,.25+rand(R)*.35 pigment{rgbf <rand(R),rand(R),rand(R),.4>} finish{reflection .35 specular .6} interior{ior 1.4}} #end
E`,
    command: ['povray', '+Is.pov', '+Oo.png', '+W480', '+H360', '-D', '+A0.3', '+WT4', '-V', '-GA'],
    verify: { file: 'o.png', filter: pngPixels },
  },
  {
    ...common,
    name: 'sqlite-mem',
    packages: ['sqlite3'],
    hide: ['/usr/bin/sqlite3'],
    // Once is too short, so the queries are asked again with other bounds; the join more often, because the others spill to
    // files each time (12 000 calls per CPU second, as when each is asked once) and the join is costly the first time only.
    prepare: `{ cat <<'E'
create table t(a int,b int,c text);
with recursive r(i) as (select 1 union all select i+1 from r where i<1500000) insert into t select i,(i*7919)%10007,'s'||((i*104729)%50021) from r;
create index tb on t(b);
E
for n in 0 1 2 3 4; do cat <<E
select count(*),sum(x.a*y.b%97) from t x join t y on x.b=y.a where x.a<800000+$n;
select count(*),sum(x.a*y.b%89) from t x join t y on x.b=y.a where x.a<900000+$n;
select count(*),sum(x.a*y.b%83) from t x join t y on x.b=y.a where x.a<700000+$n;
select c,count(*) n,sum(a) from t where a>$n group by c order by n desc,c limit 3;
select b,max(length(c)),group_concat(substr(c,2,2)) from (select * from t order by a limit 200000+$n) group by b order by 2 desc,1 limit 2;
E
done; } > q.sql`,
    command: ['sqlite3', ':memory:'],
    stdin: { file: 'q.sql' },
    verify: stdout,
  },
  {
    ...common,
    name: 'sh-pipe',
    packages: ['coreutils', 'gawk'],
    hide: ['/usr/bin/gawk'],
    // A row of five programs; those that compute do it away, while pipes and short programs are at home.
    command: [
      'sh',
      '-c',
      `seq 1 1500000 | gawk '{x=$1; for(i=0;i<9;i++) x=(x*1103515245+12345)%2147483648; print x, $1}' | sort -n | gawk '{s=(s*31+$2)%1000003; if(NR%100000==0) print NR, s}' | tail -n 5`,
    ],
    shareAway: 0.5,
    modes: placed,
    verify: stdout,
  },
  {
    ...common,
    name: 'py-mp',
    packages: ['python3'],
    hide: ['/usr/bin/python3*', '/usr/lib/python3*'],
    prepare: `cat > n.py <<'E'
import multiprocessing as mp, os
def work(k, conn, parent):
    assert os.getppid() == parent
    x, d = k, {}
    for i in range(5000000):
        x=(x*1103515245+12345)&0x7fffffff
        d[x%50021]=d.get(x%50021,0)+(x>>7)
    conn.send((k, len(d), sum(d.values())))
    conn.close()
if __name__=='__main__':
    mp.set_start_method('fork')
    for round in range(3):
        jobs=[]
        for k in range(4):
            ours, theirs = mp.Pipe(duplex=False)
            p=mp.Process(target=work, args=(4*round+k, theirs, os.getpid()))
            p.start(); theirs.close(); jobs.append((p, ours))
        for p, ours in jobs:
            print(*ours.recv()); p.join(); assert p.exitcode==0
E`,
    command: ['/usr/bin/python3', 'n.py'],
    modes: placed,
    verify: stdout,
  },
  {
    ...common,
    name: 'make-j4',
    packages: ['gcc', 'libc6-dev', 'make', 'python3'],
    hide: ['/usr/bin/make', '/usr/lib/gcc', '/usr/libexec/gcc'],
    prepare: `/usr/bin/python3 - <<'P'
N=10
for n in range(N):
    with open(f'f{n}.c','w') as f:
        f.write('#include <stdint.h>\\n')
        for k in range(130):
            f.write(f"uint32_t f{n}_{k}(uint32_t x){{uint32_t a[16];for(int i=0;i<16;i++)a[i]=x*{k*7+3}u+i*{n+5}u;for(int r=0;r<{k%5+3};r++)for(int i=0;i<16;i++){{a[i]^=a[(i*5+r)&15]<<{k%7+1};a[(i+3)&15]+=a[i]>>{n%5+2};switch(a[i]&7){{case 0:a[i]*=3u;break;case 3:a[i]-={k}u;break;case 5:a[i]=~a[i];}}}}uint32_t s=0;for(int i=0;i<16;i++)s=s*31u+a[i];return s;}}\\n")
        f.write(f'uint32_t g{n}(uint32_t x){{')
        for k in range(130): f.write(f'x=f{n}_{k}(x);')
        f.write('return x;}\\n')
with open('main.c','w') as f:
    f.write('#include <stdint.h>\\n#include <stdio.h>\\n')
    for n in range(N): f.write(f'uint32_t g{n}(uint32_t);\\n')
    f.write('int main(void){uint32_t x=42;'+''.join(f'x=g{n}(x);' for n in range(N))+'printf("%u\\\\n",x);return 0;}\\n')
with open('Makefile','w') as f:
    objs=' '.join(f'f{n}.o' for n in range(N))
    f.write(f'run: app\\n\\t./app > out\\n\\t@cat out\\napp: {objs} main.o\\n\\tgcc -o $@ $^\\n%.o: %.c\\n\\tgcc -O2 -c -o $@ $<\\nclean:\\n\\trm -f *.o app out\\n')
P`,
    command: ['sh', '-c', 'make -s clean && exec make -s -j4'],
    shareAway: 0.6,
    modes: placed,
    verify: stdout,
  },
];
