using System.Buffers;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>Clients that send many requests at once, close their half, do not read, or disappear.</summary>
public sealed class StreamEndTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Far more than the server queues, from a client that begins to read after all of it is on its way.</summary>
    [Fact]
    [Requirement("ABUSE-27")]
    public async Task PipelinedRequests_AreAllAnsweredInOrder_HoweverSlowlyTheClientReads()
    {
        const int Count = 20_000;
        await using var fixture = new StreamFixture();
        var serving = fixture.ServeAsync();
        var requests = Enumerable.Range(0, Count).Select(_ => StunRequest.Plain(StunMethod.Binding)).ToList();
        var sending = SendAsync();

        // The server stops reading, so the client cannot send everything.
        var isStuck = await Task.WhenAny(sending, Task.Delay(300, Cancel)) != sending;
        Assert.True(isStuck);
        foreach (var request in requests) Assert.Equal(request[8..20], (await ReadAsync(fixture))[8..20]);
        await sending;
        await serving.WaitAsync(Patience, Cancel);
        Assert.False(fixture.IsAborted);

        async Task SendAsync()
        {
            foreach (var some in requests.Chunk(100))
                await fixture.Client.Output.WriteAsync(some.SelectMany(request => request).ToArray(), Cancel);
            await fixture.Client.Output.CompleteAsync();
        }
    }

    [Fact]
    [Requirement("ABUSE-27")]
    public async Task ClientThatClosesItsHalf_AndDoesNotRead_CostsNothingAfterTenSeconds()
    {
        await using var fixture = new StreamFixture();
        var serving = fixture.ServeAsync();
        for (var i = 0; i < 200; i++) await fixture.Client.Output.WriteAsync(StunRequest.Plain(StunMethod.Binding), Cancel);
        await fixture.Client.Output.CompleteAsync();
        Assert.NotSame(serving, await Task.WhenAny(serving, Task.Delay(200, Cancel)));
        fixture.Clock.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(serving.IsCompleted);

        // The second half of the wait may begin only now.
        await AdvanceUntilAsync(fixture, serving);
        Assert.True(serving.IsCompletedSuccessfully);
        Assert.True(fixture.IsAborted);
    }

    /// <summary>It has no allocation, so it is ended, also while the server waits for it to read.</summary>
    [Fact]
    [Requirement("ABUSE-27")]
    public async Task ClientThatSendsMuch_AndNeverReads_CostsNothingAfterAWhile()
    {
        await using var fixture = new StreamFixture();
        var serving = fixture.ServeAsync();
        var some = Enumerable.Range(0, 1000).SelectMany(_ => StunRequest.Plain(StunMethod.Binding)).ToArray();
        while (true)
        {
            var sending = fixture.Client.Output.WriteAsync(some, Cancel).AsTask();
            if (await Task.WhenAny(sending, Task.Delay(500, Cancel)) != sending) break;
        }

        await AdvanceUntilAsync(fixture, serving);
        Assert.True(serving.IsCompletedSuccessfully);
        Assert.True(fixture.IsAborted);
    }

    [Fact]
    [Requirement("ABUSE-27")]
    public async Task AnswerThatIsStillBeingMade_IsWaitedFor_AtMostTenSeconds()
    {
        await using var fixture = new StreamFixture();
        await using var path = new StreamPath(fixture.Connection, fixture.Metrics, fixture.Clock);
        var (first, second) = (new TaskCompletionSource(), new TaskCompletionSource());
        path.Expect(first.Task);
        path.Expect(second.Task);
        var waiting = path.WaitForAnswersAsync();
        first.SetResult();
        Assert.False(waiting.IsCompleted);
        fixture.Clock.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(waiting.IsCompleted);
        fixture.Clock.Advance(TimeSpan.FromSeconds(0.2));
        await waiting.WaitAsync(Patience, Cancel);

        waiting = path.WaitForAnswersAsync();
        Assert.False(waiting.IsCompleted);
        second.SetResult();
        await waiting.WaitAsync(Patience, Cancel);
        Assert.True(path.WaitForAnswersAsync().IsCompleted);
    }

    /// <summary>Data is dropped for a slow client; a response is not.</summary>
    [Fact]
    [Requirement("ABUSE-27")]
    public async Task ResponseBehindTooMuchData_IsSent()
    {
        await using var fixture = new StreamFixture();
        var path = new StreamPath(fixture.Connection, fixture.Metrics, fixture.Clock);
        var response = new byte[20];
        response[0] = 1;
        for (var i = 0; i < 300; i++)
        {
            path.Send(default, StunRequest.OnChannel(0x4000, new byte[1000]));
            if (i == 10) path.Send(default, response);
        }

        for (var i = 0; i < 1000; i++) path.Send(default, StunRequest.OnChannel(0x4000, new byte[1000]));
        var ending = path.DisposeAsync();
        var responses = 0;
        for (var left = 0; left < StreamPath.MaxQueuedOctets - 2000;)
        {
            var message = await ReadAsync(fixture);
            left += message.Length;
            if (message[0] == 1) responses++;
        }

        Assert.Equal(1, responses);
        await fixture.Client.Input.CompleteAsync();
        await ending;
    }

    private static async Task AdvanceUntilAsync(StreamFixture fixture, Task serving)
    {
        for (var i = 0; i < 100 && !serving.IsCompleted; i++)
        {
            fixture.Clock.Advance(TimeSpan.FromSeconds(5));
            await Task.WhenAny(serving, Task.Delay(20, Cancel));
        }
    }

    private static async Task<byte[]> ReadAsync(StreamFixture fixture)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Patience);
        while (true)
        {
            var read = await fixture.Client.Input.ReadAsync(limit.Token);
            if (TryRead(read.Buffer, out var message))
            {
                fixture.Client.Input.AdvanceTo(read.Buffer.GetPosition(message.Length));
                return message;
            }

            Assert.False(read.IsCompleted);
            fixture.Client.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static bool TryRead(in ReadOnlySequence<byte> buffer, out byte[] message)
    {
        message = [];
        if (buffer.Length < 4) return false;
        var prefix = new byte[4];
        buffer.Slice(0, 4).CopyTo(prefix);
        var length = StreamFraming.FrameLength(prefix);
        if (buffer.Length < length) return false;
        message = buffer.Slice(0, length).ToArray();
        return true;
    }
}
