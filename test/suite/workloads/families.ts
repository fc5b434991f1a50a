/** Jobs of several processes: shells, pools, builds. */
import type { Case } from '../case.ts';
import { common, stdout } from './common.ts';

export const families: readonly Case[] = [
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
    family: true,
    verify: stdout,
  },
  {
    ...common,
    name: 'py-mp',
    packages: ['python3'],
    hide: ['/usr/bin/python3*', '/usr/lib/python3*'],
    // A pool's queues are pipes with semaphores in shared memory, and threads serve them.
    prepare: `cat > n.py <<'E'
from multiprocessing import Pool
def f(seed):
    x=seed; s=0
    for i in range(1500000):
        x=(x*1103515245+12345)&0x7fffffff; s+=x&255
    return s
if __name__=='__main__':
    with Pool(4) as p: print(sum(p.map(f,range(240),chunksize=1)))
E`,
    command: ['/usr/bin/python3', 'n.py'],
    family: true,
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
    family: true,
    verify: stdout,
  },
];
