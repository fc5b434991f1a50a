/** What several workloads share. */
/** Text with a heavy-tailed choice of words: compresses as real text does. Made once, beside the cases' directories. */
export const corpus = `[ -f ../corpus.txt ] || { /usr/bin/python3 - <<'P'
import random
random.seed(5)
words=[''.join(random.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(random.randrange(2,10))) for _ in range(30000)]
with open('../corpus.part','w') as f:
    for i in range(5000000):
        f.write(' '.join(words[int(random.paretovariate(.6))%30000] for _ in range(9))+' %d\\n'%random.randrange(10**6))
P
mv ../corpus.part ../corpus.txt; }
`;

export const common = { schedule: 'early', shareAway: 0.9 } as const;
export const stdout = { file: 'stdout' } as const;
