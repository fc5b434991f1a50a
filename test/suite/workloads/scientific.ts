/** Numerical and scientific programs, compilers and compressors: large libraries, several threads, many small reads. */
import type { Case } from '../case.ts';
import { common, corpus, stdout } from './common.ts';

export const scientific: readonly Case[] = [
  {
    ...common,
    name: 'py-numpy',
    packages: ['python3', 'python3-numpy', 'libblas3', 'liblapack3'],
    hide: ['/usr/bin/python3*', '/usr/lib/python3*', '/usr/lib/*/blas', '/usr/lib/*/lapack'],
    env: { LD_LIBRARY_PATH: '/usr/lib/x86_64-linux-gnu/blas:/usr/lib/x86_64-linux-gnu/lapack' },
    prepare: `cat > n.py <<'E'
import numpy as np
r=np.random.RandomState(1)
a=r.rand(900,900)
for k in range(6):
    a=a@a; a/=a.max(); print(k,round(float(a.sum()),3),flush=True)
for k in range(70):
    b=np.fft.fft(r.rand(1<<20)); print(k,round(float(abs(b).mean()),6),flush=True)
s=np.sort(r.rand(50000000)); print(round(float(s[12345]),9))
E`,
    command: ['/usr/bin/python3', 'n.py'],
    verify: stdout,
  },
  {
    ...common,
    name: 'py-openblas',
    packages: ['python3', 'python3-numpy', 'libopenblas0-pthread'],
    hide: ['/usr/bin/python3*', '/usr/lib/python3*', '/usr/lib/*/openblas-pthread'],
    env: { LD_LIBRARY_PATH: '/usr/lib/x86_64-linux-gnu/openblas-pthread', OPENBLAS_NUM_THREADS: '4' },
    prepare: `cat > n.py <<'E'
import numpy as np
r=np.random.RandomState(1)
a=r.rand(2500,2500)
for k in range(30):
    a=a@a; a/=a.max(); print(k,round(float(a.sum()),2),flush=True)
E`,
    command: ['/usr/bin/python3', 'n.py'],
    verify: stdout,
  },
  {
    ...common,
    name: 'zstd-4',
    packages: ['zstd', 'python3'],
    hide: ['/usr/bin/zstd'],
    prepare: `${corpus}head -c 30000000 ../corpus.txt > in`,
    command: ['zstd', '-q', '-T4', '-17', '-f', 'in', '-o', 'in.zst'],
    verify: { file: 'in.zst' },
  },
  {
    ...common,
    name: 'hmmsearch',
    packages: ['hmmer', 'python3'],
    hide: ['/usr/bin/hmm*'],
    // The same sequences several times over: to invent as many would take longer than the search.
    prepare: `/usr/bin/python3 - <<'P'
import random
random.seed(7)
AA='ACDEFGHIKLMNPQRSTVWY'
base=[random.choice(AA) for _ in range(300)]
with open('a.afa','w') as f:
    for i in range(40): f.write(f'>s{i}\\n'+''.join(c if random.random()<.7 else random.choice(AA) for c in base)+'\\n')
with open('part.fa','w') as f:
    for i in range(200000): f.write(f'>r{i}\\n'+(''.join(c if random.random()<.5 else random.choice(AA) for c in base) if i%500==0 else ''.join(random.choices(AA,k=350)))+'\\n')
P
for n in 1 2 3 4 5 6 7; do cat part.fa; done > db.fa
rm part.fa
hmmbuild m.hmm a.afa`,
    command: ['hmmsearch', '--cpu', '2', '--noali', '-o', 'o.txt', 'm.hmm', 'db.fa'],
    verify: { file: 'o.txt', filter: `grep -Ev '^#|Elapsed|Mc/sec'` },
  },
  {
    ...common,
    name: 'stockfish-1',
    packages: ['stockfish'],
    hide: ['/usr/games/stockfish'],
    command: ['sh', '-c', 'exec stockfish bench 64 1 17 2>&1'],
    verify: { file: 'stdout', filter: `grep -a 'Nodes searched'` },
  },
  {
    ...common,
    name: 'lammps',
    packages: ['lammps'],
    hide: ['/usr/bin/lmp', '/usr/lib/*/liblammps*'],
    prepare: `cat > in.melt <<'E'
units lj
atom_style atomic
lattice fcc 0.8442
region box block 0 14 0 14 0 14
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 3.0 87287 loop geom
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
neighbor 0.3 bin
neigh_modify every 20 delay 0 check no
fix 1 all nve
thermo 50
run 6000
E`,
    command: ['lmp', '-in', 'in.melt', '-log', 'log.l', '-sc', 'none'],
    verify: { file: 'log.l', filter: `awk '/^Step/{p=1} /^Loop/{p=0} p'` },
  },
  {
    ...common,
    name: 'gromacs',
    // Its threads sleep while they wait for each other: else on a busy machine they use all CPU time for that.
    env: { OMP_WAIT_POLICY: 'passive' },
    packages: ['gromacs', 'gromacs-data'],
    hide: ['/usr/bin/gmx*', '/usr/share/gromacs', '/usr/lib/*/libgromacs*'],
    prepare: `cat > topol.top <<'E'
#include "oplsaa.ff/forcefield.itp"
#include "oplsaa.ff/spce.itp"
[ system ]
W
[ molecules ]
E
gmx -quiet solvate -cs spc216 -box 3 3 3 -o w.gro -p topol.top
cat > md.mdp <<'E'
integrator=md
nsteps=4000
dt=0.002
nstlist=20
coulombtype=PME
rcoulomb=0.9
rvdw=0.9
constraints=h-bonds
tcoupl=v-rescale
tc-grps=System
tau-t=0.1
ref-t=300
gen-vel=yes
gen-seed=1
ld-seed=1
nstxout-compressed=500
nstenergy=100
nstlog=500
E
cat > em.mdp <<'E'
integrator=steep
nsteps=200
emtol=100
coulombtype=PME
rcoulomb=0.9
rvdw=0.9
E
gmx -quiet grompp -f em.mdp -c w.gro -p topol.top -o em.tpr -maxwarn 5
gmx -quiet mdrun -deffnm em -nt 1 -pin off
gmx -quiet grompp -f md.mdp -c em.gro -p topol.top -o md.tpr -maxwarn 5`,
    command: ['gmx', '-quiet', 'mdrun', '-deffnm', 'md', '-ntmpi', '1', '-ntomp', '2', '-pin', 'off', '-reprod'],
    verify: { file: 'md.gro' },
  },
  {
    ...common,
    name: 'gcc-one',
    packages: ['g++', 'python3'],
    hide: ['/usr/bin/*g++*', '/usr/lib/gcc', '/usr/libexec/gcc', '/usr/include/c++'],
    prepare: `/usr/bin/python3 - <<'P'
with open('big.cpp','w') as f:
    f.write('#include <bits/stdc++.h>\\n#include <regex>\\nusing namespace std;\\n')
    for i in range(45):
        f.write(f'struct S{i}{{int a,b;bool operator<(const S{i}&o)const{{return tie(a,b)<tie(o.a,o.b);}}}};\\nint f{i}(vector<S{i}>v){{map<S{i},vector<string>>m;unordered_map<string,S{i}>u;for(auto&x:v){{m[x].push_back(to_string(x.a));u[to_string(x.b)]=x;}}sort(v.begin(),v.end());int s=0;for(auto&p:m)s+=p.first.a*{i}+p.second.size();return s+v.size()+u.size();}}\\n')
P`,
    command: ['g++', '-std=c++17', '-O3', '-c', 'big.cpp', '-o', 'big.o'],
    family: true,
    verify: { file: 'big.o' },
  },
  {
    ...common,
    name: 'xz-pipe',
    packages: ['tar', 'xz-utils', 'coreutils', 'python3'],
    hide: ['/usr/bin/xz', '/usr/bin/sha256sum'],
    prepare: `${corpus}rm -rf d; mkdir d; head -c 12000000 ../corpus.txt | split -b 50000 -a 4 - d/f`,
    command: ['sh', '-c', 'tar -c --sort=name --mtime=@0 --owner=0 --group=0 d | xz -T1 -5 -c | sha256sum'],
    family: true,
    verify: stdout,
  },
];
