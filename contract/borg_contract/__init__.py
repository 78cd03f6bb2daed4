"""What the operator tells the runner, and what the runner answers: all that both sides share.

The plan travels as one JSON text in an environment value of the pod, so a Job carries all that it will do and a later
edit of the schedule cannot change a run half-way. The result comes back as the container's termination message. This
package needs the standard library only: the runner's image holds it and the runner, nothing else.
"""
