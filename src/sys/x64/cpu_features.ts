/**
 * CPU features that a program may have chosen its code by, named as the "flags" of /proc/cpuinfo name them
 * (arch/x86/include/asm/cpufeatures.h). Features that only a kernel can use do not matter.
 */
import fs from 'node:fs';

const usable: ReadonlySet<string> = new Set(
  [
    'cx8 cmov mmx fxsr sse sse2 pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand',
    'mmxext 3dnow 3dnowext 3dnowprefetch lahf_lm abm sse4a misalignsse xop fma4 tbm lwp rdtscp monitorx',
    'fsgsbase bmi1 hle avx2 bmi2 rtm rdseed adx clflushopt clwb sha_ni xsaveopt xsavec xgetbv1 ospke clzero rdpru',
    'avx512f avx512dq avx512ifma avx512cd avx512bw avx512vl avx512vbmi avx512_vbmi2 avx512_vnni avx512_bitalg',
    'avx512_vpopcntdq avx512_bf16 avx512_fp16 avx512_vp2intersect avx_vnni gfni vaes vpclmulqdq rdpid cldemote movdiri',
    'movdir64b enqcmd serialize tsxldtrk waitpkg amx_bf16 amx_tile amx_int8 amx_fp16 amx_complex avx_ifma avx_vnni_int8',
    'avx_vnni_int16 avx_ne_convert cmpccxadd sha512 sm3 sm4 user_shstk',
  ].flatMap((line) => line.split(' ')),
);

/** Those that all CPUs of a machine have, from the text of /proc/cpuinfo. */
export function featuresIn(cpuinfo: string): string[] {
  const cpus = cpuinfo.match(/^flags\s*:.*$/gm)?.map((line) => new Set(line.split(/[\s:]+/))) ?? [];
  return [...usable].filter((feature) => cpus.length > 0 && cpus.every((flags) => flags.has(feature)));
}

/** Those of this machine as bits, in the order of the list above, to which features are only ever appended. */
export function featureBits(features: readonly string[] = cpuFeatures()): Uint8Array {
  const bits = new Uint8Array(Math.ceil(usable.size / 8));
  [...usable].forEach((feature, index) => {
    if (features.includes(feature)) bits[index >> 3] |= 1 << (index & 7);
  });
  return bits;
}

let ours: readonly string[] | undefined;

/** Those of this machine. */
export function cpuFeatures(): readonly string[] {
  ours ??= featuresIn(fs.readFileSync('/proc/cpuinfo', 'latin1'));
  return ours;
}
