package spec
import ("testing";"strings";"time";"fmt";"math/rand/v2")
func TestSlow(t *testing.T){
 atoms:=[]string{"[","{","- ","? ","a: ","&a ","*a ","!a ","'","\"","#","\n"," ",": ","[{","a","%","\t","|\n",">\n","a\n","#a\n","- #a\n","a: #b\n","{a: ","],","},",",","\\","\"a\" : ","<<: ","---\n","...\n","- - ","[a]: ","? [a]\n"," a\n","\n\n","é","x: |\n ","[a, ","!!","%TAG ! a\n","`","@","-","?",":","[]","{}","[],","{},","[? a,","''","\"\"","'' ","a, ","a:\n ", "# \n - "}
 type res struct{d time.Duration; s string; n int}
 var worst []res
 try:=func(s string, label string){
  if len(s)>maxFileSize {s=s[:maxFileSize]}
  st:=time.Now(); docs,pr:=parse("u",[]byte(s)); if len(docs)>0||len(pr)==0 {readUsers("u",docs,inherited{})}; d:=time.Since(st)
  if d>60*time.Millisecond { worst=append(worst,res{d,label,len(pr)}) }
 }
 for _,a:=range atoms { try(strings.Repeat(a, maxFileSize/len(a)), fmt.Sprintf("%q",a))
  for _,b:=range atoms { try(strings.Repeat(a+b, maxFileSize/len(a+b)), fmt.Sprintf("%q+%q",a,b))
   try(a+strings.Repeat(b, maxFileSize/len(b)-2), fmt.Sprintf("once %q then %q",a,b))
   try(strings.Repeat(a, maxFileSize/len(a)/2)+strings.Repeat(b, maxFileSize/len(b)/2), fmt.Sprintf("half %q half %q",a,b))
   try("email: a@x.example\ntitle: "+strings.Repeat(a, 8000/len(a))+strings.Repeat(b, maxFileSize/len(b)), fmt.Sprintf("8k %q then %q",a,b))
  } }
 for range 3000 { k:=1+rand.IntN(4); s:=""; for range k {s+=atoms[rand.IntN(len(atoms))]}; try(strings.Repeat(s,maxFileSize/len(s)), fmt.Sprintf("rand %q",s)) }
 for _,w:=range worst { fmt.Println(w.d, w.n, w.s) }
}
