using System.Net.Security;

namespace WebRtcIms.Turn.Client;

/// <summary>What a client may be told beside the server's address.</summary>
public sealed class TurnClientOptions
{
    /// <summary>The clock of retransmissions and keep-alive.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How <c>turns:</c> checks the server, when the machine's root certificates are not the ones that count.</summary>
    public SslClientAuthenticationOptions? Tls { get; init; }

    /// <summary>Received datagrams that wait to be read; when there are more, the oldest is dropped.</summary>
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
