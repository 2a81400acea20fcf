using System.IO.Pipelines;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Tests.Scripted;
using WebRtcIms.Turn.Client.Transport;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>Messages in a stream, in segments of any size.</summary>
[Requirement("RFC8489-6.2.2")]
public sealed class StreamTransportTests
{
    private readonly ObservedClock _clock = new();
    private readonly Pipe _fromServer = new();
    private readonly byte[] _buffer = new byte[70000];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Messages_AreFoundInSingleOctets()
    {
        await using var transport = new StreamTransport(_fromServer.Reader.AsStream(), _clock);
        byte[] channelData = [0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0];
        byte[] stun = [0x01, 0x01, 0, 4, 0x21, 0x12, 0xA4, 0x42, .. new byte[12], 0x80, 0x22, 0, 0];
        byte[] empty = [0x40, 1, 0, 0];
        var writing = Task.Run(async () =>
        {
            foreach (var octet in (byte[])[.. channelData, .. stun, .. empty]) await _fromServer.Writer.WriteAsync(new[] { octet }, Cancel);
        }, Cancel);

        foreach (var expected in (byte[][])[channelData, stun, empty])
        {
            var length = await transport.ReceiveAsync(_buffer, Cancel);
            Assert.Equal(expected, _buffer[..length]);
        }

        await writing;
    }

    [Theory]
    [InlineData(new byte[] { 0x80, 0, 0, 0 })]
    [InlineData(new byte[] { 0, 1, 0, 3 })]
    public async Task WhatIsNoMessage_EndsTheStream(byte[] start)
    {
        await using var transport = new StreamTransport(_fromServer.Reader.AsStream(), _clock);
        await _fromServer.Writer.WriteAsync(start, Cancel);
        await Assert.ThrowsAsync<IOException>(() => transport.ReceiveAsync(_buffer, Cancel).AsTask());
    }

    [Fact]
    public async Task StreamThatEndsInAMessage_IsAnError()
    {
        await using var transport = new StreamTransport(_fromServer.Reader.AsStream(), _clock);
        await _fromServer.Writer.WriteAsync(new byte[] { 0x40, 0, 0, 5, 1 }, Cancel);
        await _fromServer.Writer.CompleteAsync();
        await Assert.ThrowsAsync<IOException>(() => transport.ReceiveAsync(_buffer, Cancel).AsTask());
    }

    [Fact]
    public async Task ServerThatReadsNothing_IsGivenUp()
    {
        var toServer = new Pipe(new PipeOptions(pauseWriterThreshold: 10, resumeWriterThreshold: 5));
        await using var transport = new StreamTransport(toServer.Writer.AsStream(), _clock);
        var sending = transport.SendAsync(new byte[100], Cancel).AsTask();
        _clock.Advance(await _clock.NextTimerAsync(Cancel));
        await Assert.ThrowsAsync<IOException>(() => sending);
        Assert.Equal(39.5, _clock.Elapsed.TotalSeconds);
    }
}
