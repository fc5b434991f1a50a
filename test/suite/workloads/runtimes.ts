/** Programs in languages that bring a machine of their own: threads that collect garbage, code made at run time, signals. */
import type { Case } from '../case.ts';
import { common, stdout } from './common.ts';

export const runtimes: readonly Case[] = [
  {
    ...common,
    name: 'go-app',
    packages: ['golang-go'],
    hide: ['/usr/bin/go', '/usr/lib/go*'],
    prepare: `cat > main.go <<'E'
package main
import ("fmt";"sync";"crypto/sha256")
func main(){
 var wg sync.WaitGroup; ch:=make(chan uint64,64)
 for g:=0;g<16;g++{ wg.Add(1); go func(g int){ defer wg.Done(); h:=sha256.Sum256([]byte{byte(g)}); m:=map[uint64]int{}
  for i:=0;i<1500000;i++{ h=sha256.Sum256(h[:]); k:=uint64(h[0])<<16|uint64(h[1])<<8|uint64(h[2]); m[k]++; if i%1000==0 {b:=make([]byte,20000); b[i%20000]=1; m[uint64(len(b))]++} }
  var s uint64; for k,v:=range m{ s+=k*uint64(v)}; ch<-s}(g)}
 go func(){wg.Wait();close(ch)}(); var t uint64; for s:=range ch{t+=s}; fmt.Println(t)}
E
GO111MODULE=off CGO_ENABLED=0 GOCACHE=$PWD/c go build -o app main.go`,
    command: ['./app'],
    verify: stdout,
  },
  {
    ...common,
    name: 'java',
    packages: ['default-jdk-headless'],
    hide: ['/usr/bin/java', '/usr/lib/jvm', '/etc/java*'],
    prepare: `cat > N.java <<'E'
import java.util.*;
public class N{public static void main(String[] z)throws Exception{
 HashMap<Integer,Long> m=new HashMap<>(); int x=42;
 for(int i=0;i<25000000;i++){ x=(x*1103515245+12345)&0x7fffffff; m.merge(x%400009,(long)(x&255),Long::sum);}
 long s=0; for(long v:m.values()) s+=v;
 ArrayList<String> a=new ArrayList<>(); for(int k=0;k<8;k++){ a.clear(); for(int i=0;i<1000000;i++){x=(x*1103515245+12345)&0x7fffffff;a.add("s"+x);} Collections.sort(a);}
 System.out.println(s+" "+m.size()+" "+a.get(777));}}
E
javac N.java`,
    command: ['java', '-Xmx1g', '-cp', '.', 'N'],
    verify: stdout,
  },
  {
    ...common,
    name: 'node26',
    packages: [],
    hide: [],
    // A copy, because the engines of the hosting nodes run on the original.
    prepare: `cp ${process.execPath} node
cat > n.js <<'E'
const m=new Map(); let x=42;
for(let i=0;i<40000000;i++){x=(Math.imul(x,1103515245)+12345)&0x7fffffff;const k=x%400009;m.set(k,(m.get(k)||0)+(x&255));}
let s=0;for(const v of m.values())s+=v;
let a=[];for(let k=0;k<4;k++){a=[];for(let i=0;i<1500000;i++){x=(Math.imul(x,1103515245)+12345)&0x7fffffff;a.push('s'+x);}a.sort();}
console.log(s,m.size,a[777]);
E`,
    command: ['./node', 'n.js'],
    verify: stdout,
  },
];
