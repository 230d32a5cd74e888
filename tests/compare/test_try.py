import subprocess, sys, time
from tests.tiny_project import hallmark
def test_it(project, capsys):
    with capsys.disabled():
        t=time.time()
        print(hallmark(project, "compare", "bases.yaml", "--rows", "12", "--train-rows", "24", "--steps", "3"))
        print(time.time()-t); t=time.time()
        print(hallmark(project, "compare", "bases.yaml", "--rows", "12", "--train-rows", "24", "--steps", "3"))
        print(time.time()-t)
        subprocess.run(["find", str(project/".hallmark/compared"), "-maxdepth", "3"])
        subprocess.run(["cp", str(project/".hallmark/compared/comparison.html"), "/tmp/cmp.html"])
        subprocess.run("cat "+str(project/".hallmark/compared/outcomes/")+"/*.json | head -c 1500", shell=True)
