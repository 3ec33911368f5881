// Amazon's SDK for Go on our queues and topics, as Debian packages it. The first argument is the
// endpoint; a scenario that does not go as Amazon documents ends the program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

var ctx, cancel = context.WithTimeout(context.Background(), 2*time.Minute)

type client struct{ *sqs.Client }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must(holds bool, what ...interface{}) {
	if !holds {
		panic(fmt.Sprint(what...))
	}
}

// A name that no other run has used.
func fresh(name string) string {
	return fmt.Sprintf("go-%s-%d", name, time.Now().UnixNano())
}

func main() {
	defer cancel()
	config := aws.Config{
		Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		EndpointResolverWithOptions: aws.EndpointResolverWithOptionsFunc(
			func(string, string, ...interface{}) (aws.Endpoint, error) {
				return aws.Endpoint{URL: os.Args[1], HostnameImmutable: true}, nil
			}),
	}
	queues := client{sqs.NewFromConfig(config)}
	queues.standard()
	fmt.Println("a standard queue: attributes, a batch, visibility, deletion")
	queues.longPoll()
	fmt.Println("a long poll is answered when the message comes")
	queues.fifo()
	fmt.Println("a FIFO queue: order within groups, deduplication")
	queues.deadLetters()
	fmt.Println("dead letters")
	queues.topics(sns.NewFromConfig(config))
	fmt.Println("topics: raw, wrapped, filtered")
	queues.errors()
	fmt.Println("errors have the types that the SDK knows")
}

func (c client) create(name string, attributes map[string]string) *string {
	made, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	check(err)
	return made.QueueUrl
}

func (c client) attribute(url *string, name types.QueueAttributeName) string {
	found, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{name}})
	check(err)
	return found.Attributes[string(name)]
}

func (c client) send(url *string, body string) *sqs.SendMessageOutput {
	sent, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body})
	check(err)
	return sent
}

func (c client) receive(url *string, wait int32) []types.Message {
	found, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait,
		MessageAttributeNames: []string{"All"}, AttributeNames: []types.QueueAttributeName{"All"}})
	check(err)
	return found.Messages
}

// As many as there should be, with whatever number of calls.
func (c client) receiveAll(url *string, count int) []types.Message {
	var all []types.Message
	for len(all) < count {
		some := c.receive(url, 5)
		must(len(some) > 0, len(all), " of ", count, " came")
		all = append(all, some...)
	}
	must(len(all) == count, len(all), " came, not ", count)
	return all
}

func (c client) delete(url *string, message types.Message) {
	_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{
		QueueUrl: url, ReceiptHandle: message.ReceiptHandle})
	check(err)
}

func bodies(messages []types.Message) string {
	var all []string
	for _, message := range messages {
		all = append(all, *message.Body)
	}
	sort.Strings(all)
	return strings.Join(all, ",")
}

func (c client) standard() {
	name := fresh("standard")
	url := c.create(name, map[string]string{"VisibilityTimeout": "7"})
	found, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	check(err)
	must(*found.QueueUrl == *url, *found.QueueUrl)
	must(c.attribute(url, "VisibilityTimeout") == "7", "the timeout is another")
	sent, err := c.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String("도넛 🍩 <&>"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"points": {DataType: aws.String("Number.points"), StringValue: aws.String("12.5")},
			"bytes":  {DataType: aws.String("Binary"), BinaryValue: []byte{0, 159, 255}},
		}})
	check(err)
	message := c.receiveAll(url, 1)[0]
	must(*message.Body == "도넛 🍩 <&>", *message.Body)
	must(*message.MessageId == *sent.MessageId, "another id")
	must(*message.MD5OfMessageAttributes == *sent.MD5OfMessageAttributes, "another digest")
	must(*message.MessageAttributes["points"].StringValue == "12.5", "another number")
	must(string(message.MessageAttributes["bytes"].BinaryValue) == "\x00\x9f\xff", "other bytes")
	must(message.Attributes["ApproximateReceiveCount"] == "1", message.Attributes)
	_, err = c.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0})
	check(err)
	message = c.receiveAll(url, 1)[0]
	must(message.Attributes["ApproximateReceiveCount"] == "2", message.Attributes)
	c.delete(url, message)

	var entries []types.SendMessageBatchRequestEntry
	for number := 0; number < 10; number++ {
		entries = append(entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(fmt.Sprint("n", number)), MessageBody: aws.String(fmt.Sprint(number))})
	}
	batch, err := c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
	check(err)
	must(len(batch.Successful) == 10 && len(batch.Failed) == 0, batch)
	all := c.receiveAll(url, 10)
	must(bodies(all) == "0,1,2,3,4,5,6,7,8,9", bodies(all))
	var gone []types.DeleteMessageBatchRequestEntry
	for number, message := range all {
		gone = append(gone, types.DeleteMessageBatchRequestEntry{
			Id: aws.String(fmt.Sprint("d", number)), ReceiptHandle: message.ReceiptHandle})
	}
	deleted, err := c.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: gone})
	check(err)
	must(len(deleted.Successful) == 10 && len(deleted.Failed) == 0, deleted)
	must(c.attribute(url, "ApproximateNumberOfMessages") == "0", "some are left")
	_, err = c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url})
	check(err)
}

func (c client) longPoll() {
	url := c.create(fresh("poll"), nil)
	began := time.Now()
	go func() {
		time.Sleep(700 * time.Millisecond)
		c.send(url, "late")
	}()
	must(len(c.receive(url, 20)) == 1, "nothing came")
	must(time.Since(began) < 5*time.Second, "it waited on")
}

func (c client) fifo() {
	url := c.create(fresh("order")+".fifo", map[string]string{"FifoQueue": "true"})
	numbers := map[string]bool{}
	for number := 0; number < 6; number++ {
		// Each is sent twice, and taken once.
		for twice := 0; twice < 2; twice++ {
			sent, err := c.SendMessage(ctx, &sqs.SendMessageInput{
				QueueUrl: url, MessageBody: aws.String(fmt.Sprint(number)),
				MessageGroupId:         aws.String([]string{"a", "b"}[number%2]),
				MessageDeduplicationId: aws.String(fmt.Sprint("once-", number))})
			check(err)
			numbers[*sent.SequenceNumber] = true
		}
	}
	must(len(numbers) == 6, "the second has the number of the first: ", numbers)
	group := map[string]string{}
	for call := 0; call < 6; call++ {
		for _, message := range c.receive(url, 0) {
			group[message.Attributes["MessageGroupId"]] += *message.Body
			c.delete(url, message)
		}
	}
	must(group["a"] == "024" && group["b"] == "135", group)
}

func (c client) deadLetters() {
	dead := c.create(fresh("dead"), nil)
	arn := c.attribute(dead, "QueueArn")
	url := c.create(fresh("source"), map[string]string{
		"VisibilityTimeout": "0",
		"RedrivePolicy":     `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":"2"}`})
	sources, err := c.ListDeadLetterSourceQueues(ctx,
		&sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead})
	check(err)
	must(len(sources.QueueUrls) == 1 && sources.QueueUrls[0] == *url, sources.QueueUrls)
	c.send(url, "poison")
	c.receiveAll(url, 1)
	c.receiveAll(url, 1)
	must(len(c.receive(url, 0)) == 0, "it came a third time")
	must(c.attribute(dead, "ApproximateNumberOfMessages") == "1", "it is not there")
}

func (c client) topics(topics *sns.Client) {
	made, err := topics.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(fresh("topic"))})
	check(err)
	var urls []*string
	for _, attributes := range []map[string]string{
		{"RawMessageDelivery": "true"},
		{"RawMessageDelivery": "false"},
		{"RawMessageDelivery": "true", "FilterPolicy": `{"kind":["good"]}`},
	} {
		url := c.create(fresh("subscriber"), nil)
		_, err := topics.Subscribe(ctx, &sns.SubscribeInput{
			TopicArn: made.TopicArn, Protocol: aws.String("sqs"),
			Endpoint: aws.String(c.attribute(url, "QueueArn")), Attributes: attributes})
		check(err)
		urls = append(urls, url)
	}
	for _, kind := range []string{"bad", "good"} {
		_, err := topics.Publish(ctx, &sns.PublishInput{
			TopicArn: made.TopicArn, Message: aws.String("a " + kind + " one"),
			MessageAttributes: map[string]snstypes.MessageAttributeValue{
				"kind": {DataType: aws.String("String"), StringValue: aws.String(kind)}}})
		check(err)
	}
	raw := bodies(c.receiveAll(urls[0], 2))
	must(raw == "a bad one,a good one", raw)
	for _, message := range c.receiveAll(urls[1], 2) {
		must(strings.Contains(*message.Body, *made.TopicArn), *message.Body)
	}
	filtered := bodies(c.receiveAll(urls[2], 1))
	must(filtered == "a good one", filtered)
	must(len(c.receive(urls[2], 0)) == 0, "the filter lets all through")
}

func (c client) errors() {
	var missing *types.QueueDoesNotExist
	_, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(fresh("missing"))})
	must(errors.As(err, &missing), err)
	url := c.create(fresh("errors"), nil)
	var invalid *types.ReceiptHandleIsInvalid
	_, err = c.DeleteMessage(ctx, &sqs.DeleteMessageInput{
		QueueUrl: url, ReceiptHandle: aws.String("no handle")})
	must(errors.As(err, &invalid), err)
	var same *types.BatchEntryIdsNotDistinct
	entry := types.SendMessageBatchRequestEntry{Id: aws.String("one"), MessageBody: aws.String("twice")}
	_, err = c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{
		QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{entry, entry}})
	must(errors.As(err, &same), err)
}
