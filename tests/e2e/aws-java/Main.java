// Amazon's SDK for Java, 1.x, on our queues and topics: it speaks the query protocol, and checks every
// digest itself. The first argument is the endpoint; a scenario that does not go as Amazon documents
// ends the program.

import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.sns.AmazonSNS;
import com.amazonaws.services.sns.AmazonSNSClientBuilder;
import com.amazonaws.services.sns.model.PublishRequest;
import com.amazonaws.services.sns.model.SubscribeRequest;
import com.amazonaws.services.sqs.AmazonSQS;
import com.amazonaws.services.sqs.AmazonSQSClientBuilder;
import com.amazonaws.services.sqs.model.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

public class Main {
    static AmazonSQS queues;
    static AmazonSNS topics;

    public static void main(String[] args) throws Exception {
        EndpointConfiguration endpoint = new EndpointConfiguration(args[0], "eu-central-1");
        AWSStaticCredentialsProvider test =
            new AWSStaticCredentialsProvider(new BasicAWSCredentials("test", "test"));
        queues = AmazonSQSClientBuilder.standard()
            .withEndpointConfiguration(endpoint).withCredentials(test).build();
        topics = AmazonSNSClientBuilder.standard()
            .withEndpointConfiguration(endpoint).withCredentials(test).build();
        standard();
        System.out.println("a standard queue: attributes, a batch, visibility, deletion");
        longPoll();
        System.out.println("a long poll is answered when the message comes");
        fifo();
        System.out.println("a FIFO queue: order within groups, deduplication");
        deadLetters();
        System.out.println("dead letters");
        topics();
        System.out.println("topics: raw, wrapped, filtered");
        errors();
        System.out.println("errors have the types that the SDK knows");
        queues.shutdown();
        topics.shutdown();
    }

    static void must(boolean holds, Object what) {
        if (!holds) throw new AssertionError(what);
    }

    // A name that no other run has used.
    static String fresh(String name) {
        return "java-" + name + "-" + System.nanoTime();
    }

    static String create(String name, Map<String, String> attributes) {
        return queues.createQueue(new CreateQueueRequest(name).withAttributes(attributes)).getQueueUrl();
    }

    static String attribute(String url, String name) {
        return queues.getQueueAttributes(url, List.of(name)).getAttributes().get(name);
    }

    static List<Message> receive(String url, int wait) {
        return queues.receiveMessage(new ReceiveMessageRequest(url)
            .withMaxNumberOfMessages(10).withWaitTimeSeconds(wait)
            .withAttributeNames("All").withMessageAttributeNames("All")).getMessages();
    }

    // As many as there should be, with whatever number of calls.
    static List<Message> receiveAll(String url, int count) {
        List<Message> all = new ArrayList<>();
        while (all.size() < count) {
            List<Message> some = receive(url, 5);
            must(!some.isEmpty(), all.size() + " of " + count + " came");
            all.addAll(some);
        }
        must(all.size() == count, all.size() + " came, not " + count);
        return all;
    }

    static String bodies(List<Message> messages) {
        return messages.stream().map(Message::getBody).sorted().collect(Collectors.joining(","));
    }

    static void standard() {
        String name = fresh("standard");
        String url = create(name, Map.of("VisibilityTimeout", "7"));
        must(queues.getQueueUrl(name).getQueueUrl().equals(url), url);
        must(queues.listQueues(name).getQueueUrls().equals(List.of(url)), "the list has another");
        must(attribute(url, "VisibilityTimeout").equals("7"), "the timeout is another");
        queues.setQueueAttributes(url, Map.of("VisibilityTimeout", "9"));
        must(attribute(url, "VisibilityTimeout").equals("9"), "the timeout was not set");
        queues.tagQueue(url, Map.of("team", "shop"));
        must(queues.listQueueTags(url).getTags().equals(Map.of("team", "shop")), "another tag");

        ByteBuffer bytes = ByteBuffer.wrap(new byte[] {0, (byte) 159, (byte) 255});
        SendMessageResult sent = queues.sendMessage(new SendMessageRequest(url, "도넛 🍩 <&>")
            .addMessageAttributesEntry("points",
                new MessageAttributeValue().withDataType("Number.points").withStringValue("12.5"))
            .addMessageAttributesEntry("bytes",
                new MessageAttributeValue().withDataType("Binary").withBinaryValue(bytes)));
        Message message = receiveAll(url, 1).get(0);
        must(message.getBody().equals("도넛 🍩 <&>"), message);
        must(message.getMessageId().equals(sent.getMessageId()), "another id");
        must(message.getMD5OfMessageAttributes().equals(sent.getMD5OfMessageAttributes()), "another digest");
        must(message.getMessageAttributes().get("points").getStringValue().equals("12.5"), message);
        must(message.getMessageAttributes().get("bytes").getBinaryValue().equals(bytes), "other bytes");
        must(message.getAttributes().get("ApproximateReceiveCount").equals("1"), message);
        queues.changeMessageVisibility(url, message.getReceiptHandle(), 0);
        message = receiveAll(url, 1).get(0);
        must(message.getAttributes().get("ApproximateReceiveCount").equals("2"), message);
        queues.deleteMessage(url, message.getReceiptHandle());

        List<SendMessageBatchRequestEntry> entries = new ArrayList<>();
        for (int number = 0; number < 10; number++) {
            entries.add(new SendMessageBatchRequestEntry("n" + number, "" + number));
        }
        SendMessageBatchResult batch = queues.sendMessageBatch(url, entries);
        must(batch.getSuccessful().size() == 10 && batch.getFailed().isEmpty(), batch);
        List<Message> all = receiveAll(url, 10);
        must(bodies(all).equals("0,1,2,3,4,5,6,7,8,9"), bodies(all));
        List<ChangeMessageVisibilityBatchRequestEntry> longer = new ArrayList<>();
        List<DeleteMessageBatchRequestEntry> gone = new ArrayList<>();
        for (Message one : all) {
            String id = "d" + one.getBody();
            longer.add(new ChangeMessageVisibilityBatchRequestEntry(id, one.getReceiptHandle())
                .withVisibilityTimeout(60));
            gone.add(new DeleteMessageBatchRequestEntry(id, one.getReceiptHandle()));
        }
        must(queues.changeMessageVisibilityBatch(url, longer).getFailed().isEmpty(), "some failed");
        must(queues.deleteMessageBatch(url, gone).getSuccessful().size() == 10, "some are left");
        must(attribute(url, "ApproximateNumberOfMessages").equals("0"), "some are left");
        queues.sendMessage(url, "purged");
        queues.purgeQueue(new PurgeQueueRequest(url));
        must(receive(url, 0).isEmpty(), "it is still there");
        queues.deleteQueue(url);
    }

    static void longPoll() {
        String url = create(fresh("poll"), Map.of());
        long began = System.nanoTime();
        CompletableFuture<Void> late = CompletableFuture.runAsync(() -> {
            try {
                Thread.sleep(700);
            } catch (InterruptedException error) {
                throw new IllegalStateException(error);
            }
            queues.sendMessage(url, "late");
        });
        must(receive(url, 20).size() == 1, "nothing came");
        must(System.nanoTime() - began < 5_000_000_000L, "it waited on");
        late.join();
    }

    static void fifo() {
        String url = create(fresh("order") + ".fifo", Map.of("FifoQueue", "true"));
        Set<String> numbers = new HashSet<>();
        for (int number = 0; number < 6; number++) {
            // Each is sent twice, and taken once.
            for (int twice = 0; twice < 2; twice++) {
                numbers.add(queues.sendMessage(new SendMessageRequest(url, "" + number)
                    .withMessageGroupId(number % 2 == 0 ? "a" : "b")
                    .withMessageDeduplicationId("once-" + number)).getSequenceNumber());
            }
        }
        must(numbers.size() == 6, "the second has the number of the first: " + numbers);
        Map<String, String> groups = new HashMap<>();
        for (int call = 0; call < 6; call++) {
            for (Message message : receive(url, 0)) {
                groups.merge(message.getAttributes().get("MessageGroupId"), message.getBody(), String::concat);
                queues.deleteMessage(url, message.getReceiptHandle());
            }
        }
        must(groups.equals(Map.of("a", "024", "b", "135")), groups);
    }

    static void deadLetters() {
        String dead = create(fresh("dead"), Map.of());
        String policy = "{\"deadLetterTargetArn\":\"" + attribute(dead, "QueueArn")
            + "\",\"maxReceiveCount\":\"2\"}";
        String url = create(fresh("source"), Map.of("VisibilityTimeout", "0", "RedrivePolicy", policy));
        ListDeadLetterSourceQueuesResult sources =
            queues.listDeadLetterSourceQueues(new ListDeadLetterSourceQueuesRequest().withQueueUrl(dead));
        must(sources.getQueueUrls().equals(List.of(url)), sources);
        queues.sendMessage(url, "poison");
        receiveAll(url, 1);
        receiveAll(url, 1);
        must(receive(url, 0).isEmpty(), "it came a third time");
        must(attribute(dead, "ApproximateNumberOfMessages").equals("1"), "it is not there");
        // 1.x has no task that moves them back: whoever uses it receives and sends.
        Message poison = receiveAll(dead, 1).get(0);
        queues.sendMessage(url, poison.getBody());
        queues.deleteMessage(dead, poison.getReceiptHandle());
        must(bodies(receiveAll(url, 1)).equals("poison"), "it did not come back");
    }

    static void topics() {
        String arn = topics.createTopic(fresh("topic")).getTopicArn();
        List<String> urls = new ArrayList<>();
        for (Map<String, String> attributes : List.of(
                Map.of("RawMessageDelivery", "true"),
                Map.of("RawMessageDelivery", "false"),
                Map.of("RawMessageDelivery", "true", "FilterPolicy", "{\"kind\":[\"good\"]}"))) {
            String url = create(fresh("subscriber"), Map.of());
            topics.subscribe(new SubscribeRequest(arn, "sqs", attribute(url, "QueueArn"))
                .withAttributes(attributes));
            urls.add(url);
        }
        must(topics.listSubscriptionsByTopic(arn).getSubscriptions().size() == 3, "some are missing");
        for (String kind : List.of("bad", "good")) {
            topics.publish(new PublishRequest(arn, "a " + kind + " one")
                .addMessageAttributesEntry("kind", new com.amazonaws.services.sns.model.MessageAttributeValue()
                    .withDataType("String").withStringValue(kind)));
        }
        String raw = bodies(receiveAll(urls.get(0), 2));
        must(raw.equals("a bad one,a good one"), raw);
        for (Message message : receiveAll(urls.get(1), 2)) {
            must(message.getBody().contains(arn), message);
        }
        String filtered = bodies(receiveAll(urls.get(2), 1));
        must(filtered.equals("a good one"), filtered);
        must(receive(urls.get(2), 0).isEmpty(), "the filter lets all through");
        topics.deleteTopic(arn);
    }

    interface Call {
        void run();
    }

    static void fails(Class<? extends Exception> with, Call call) {
        try {
            call.run();
        } catch (Exception error) {
            must(with.isInstance(error), error);
            return;
        }
        throw new AssertionError("no " + with.getSimpleName());
    }

    static void errors() {
        fails(QueueDoesNotExistException.class, () -> queues.getQueueUrl(fresh("missing")));
        String url = create(fresh("errors"), Map.of());
        fails(ReceiptHandleIsInvalidException.class, () -> queues.deleteMessage(url, "no handle"));
        SendMessageBatchRequestEntry twice = new SendMessageBatchRequestEntry("one", "twice");
        fails(BatchEntryIdsNotDistinctException.class,
            () -> queues.sendMessageBatch(url, List.of(twice, twice)));
        String large = new String(new byte[(1 << 20) + 1], StandardCharsets.US_ASCII).replace('\0', 'x');
        fails(AmazonSQSException.class, () -> queues.sendMessage(url, large));
        fails(com.amazonaws.services.sns.model.NotFoundException.class, () -> topics.publish(
            "arn:aws:sns:eu-central-1:000000000000:" + fresh("missing"), "to nobody"));
    }
}
