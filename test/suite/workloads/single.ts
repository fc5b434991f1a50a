/** Programs that compute in one process, with one thread or several. */
import type { Case } from '../case.ts';
import { common, corpus, stdout } from './common.ts';

/** A PNG's pixels only: its time chunk differs from run to run. */
const pngPixels = `/usr/bin/python3 -c "
import sys,struct
d=sys.stdin.buffer.read();i=8;o=b''
while i<len(d):
    n,=struct.unpack('>I',d[i:i+4])
    if d[i+4:i+8]==b'IDAT': o+=d[i+8:i+8+n]
    i+=12+n
sys.stdout.buffer.write(o)"`;

export const singlePrograms: readonly Case[] = [
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
];
