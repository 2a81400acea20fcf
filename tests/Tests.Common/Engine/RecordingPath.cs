using System.Threading.Channels;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Tests.Common.Engine;

/// <summary>The path to clients, which keeps the messages.</summary>
/// <param name="events">Gets <c>send</c> for each message.</param>
public sealed class RecordingPath(List<string>? events = null) : ClientPath
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly Channel<byte[]> _messages = Channel.CreateUnbounded<byte[]>();

    /// <summary>If true, sending throws.</summary>
    public bool IsBroken { get; set; }

    /// <summary>The number of messages that no test has read.</summary>
    public int Count => _messages.Reader.Count;

    /// <summary>All messages and their receivers.</summary>
    public List<(TransportAddress Client, byte[] Octets)> Sent { get; } = [];

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
        if (IsBroken) throw new InvalidOperationException("broken on purpose");
        var octets = message.ToArray();
        events?.Add("send");
        lock (Sent) Sent.Add((client, octets));
        _messages.Writer.TryWrite(octets);
    }

    public StunAnswer? TryRead() => _messages.Reader.TryRead(out var message) ? new StunAnswer(message) : null;

    /// <summary>The next STUN message, which must arrive within a time limit.</summary>
    public async Task<StunAnswer> ReadAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        while (true)
        {
            // ChannelData is not an answer.
            var message = await _messages.Reader.ReadAsync(limit.Token);
            if (message[0] < 0x40) return new StunAnswer(message);
        }
    }
}
