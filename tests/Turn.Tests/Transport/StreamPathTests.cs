using System.Buffers;
using System.Buffers.Binary;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A client that reads too slowly from its stream.</summary>
public sealed class StreamPathTests
{
    // The stream itself holds what has been given to it.
    private const int Slack = 64 * 1024;

    [Theory]
    [InlineData(100, 10_000)]
    [InlineData(1200, 2_000)]
    [InlineData(60_000, 50)]
    [Requirement("ABUSE-27")]
    public async Task SlowReader_LosesTheOldestMessagesAsAWhole_AndTheQueueIsBoundedInOctets(int length, int count)
    {
        await using var fixture = new StreamFixture();
        var path = new StreamPath(fixture.Connection, fixture.Metrics, fixture.Clock);
        for (var i = 0; i < count; i++)
        {
            var message = new byte[length];
            BinaryPrimitives.WriteInt32BigEndian(message, i);
            path.Send(default, message);
        }

        var reading = ReadToEndAsync(fixture);
        await path.DisposeAsync();
        await fixture.Connection.Transport.Output.CompleteAsync();
        var octets = await reading;

        Assert.Equal(0, octets.Length % length);
        Assert.InRange(octets.Length, StreamPath.MaxQueuedOctets - length, StreamPath.MaxQueuedOctets + Slack);
        var numbers = octets.Chunk(length).Select(message => BinaryPrimitives.ReadInt32BigEndian(message)).ToList();
        Assert.Equal(numbers.Order(), numbers);
        Assert.Equal(count - 1, numbers[^1]);
    }

    [Fact]
    public async Task ReaderThatKeepsUp_LosesNothing()
    {
        await using var fixture = new StreamFixture();
        var path = new StreamPath(fixture.Connection, fixture.Metrics, fixture.Clock);
        var reading = ReadToEndAsync(fixture);
        for (var i = 0; i < 200; i++) path.Send(default, new byte[1000]);
        await path.DisposeAsync();
        await fixture.Connection.Transport.Output.CompleteAsync();

        Assert.Equal(200_000, (await reading).Length);
    }

    private static async Task<byte[]> ReadToEndAsync(StreamFixture fixture)
    {
        var octets = new ArrayBufferWriter<byte>();
        while (true)
        {
            var read = await fixture.Client.Input.ReadAsync(TestContext.Current.CancellationToken);
            foreach (var segment in read.Buffer) octets.Write(segment.Span);
            fixture.Client.Input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) return octets.WrittenSpan.ToArray();
        }
    }
}
