# The only lines that know of Firstcome: leave them out, log in with `aws configure`, and
# the same programs work on Amazon's queues.
export AWS_ENDPOINT_URL=http://127.0.0.1:9324
export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
