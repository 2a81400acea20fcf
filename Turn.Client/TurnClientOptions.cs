using System.Net.Security;

namespace WebRtcIms.Turn.Client;

/// <summary>Options of a client.</summary>
public sealed class TurnClientOptions
{
    /// <summary>The time source of retransmissions and keep-alive.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>How <c>turns:</c> checks the server. If null, the root certificates of the machine decide.</summary>
    public SslClientAuthenticationOptions? Tls { get; init; }

    /// <summary>Capacity of the queue of received datagrams. When it is full, the oldest is dropped.</summary>
    public int ReceiveQueueLength
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(ReceiveQueueLength));
            field = value;
        }
    } = 1024;
}
