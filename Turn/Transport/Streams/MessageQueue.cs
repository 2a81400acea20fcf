using System.Buffers;
using System.IO.Pipelines;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>Copies of messages that wait to be written. Not safe for several threads.</summary>
internal sealed class MessageQueue
{
    private readonly Queue<ArraySegment<byte>> _messages = [];

    public int Octets { get; private set; }

    public void Add(ReadOnlySpan<byte> message)
    {
        var copy = ArrayPool<byte>.Shared.Rent(message.Length);
        message.CopyTo(copy);
        _messages.Enqueue(new ArraySegment<byte>(copy, 0, message.Length));
        Octets += message.Length;
    }

    /// <summary>Drops the oldest message.</summary>
    public void Drop() => Release(_messages.Dequeue());

    /// <summary>Writes the oldest message and adds its length. False if there is none.</summary>
    public bool TryWrite(PipeWriter output, ref int written)
    {
        if (!_messages.TryDequeue(out var message)) return false;
        output.Write(message);
        written += message.Count;
        Release(message);
        return true;
    }

    public void Clear()
    {
        while (_messages.Count > 0) Drop();
    }

    private void Release(ArraySegment<byte> message)
    {
        Octets -= message.Count;
        ArrayPool<byte>.Shared.Return(message.Array!);
    }
}
