"""Recognition of an archive of videos, here or on a Ray cluster; what is finished is skipped.

    plan = Plan(out=Path("results"), model="interactions")
    done = recognize_archive(find(folder), folder, plan, Here(plan))

`run` is the loop, `crew` does the work here, `cluster` on other machines. Nothing is imported here:
a machine of a cluster must set its threads before it imports anything that computes.
"""
