using System.Net;

namespace WebRtcIms.Turn.Addresses;

/// <summary>An address that clients can use now.</summary>
/// <param name="Address">The address.</param>
/// <param name="Interface">The interface that has it; null where the system lists none, as for 127.0.0.2.</param>
/// <param name="IsNamed">Turn:ListenAddress has this address rather than a wildcard.</param>
internal sealed record ListeningAddress(IPAddress Address, string? Interface, bool IsNamed);

/// <summary>The addresses that clients can use, as they are now. <see cref="AddressFollower"/> replaces them.</summary>
internal sealed class ListeningAddresses
{
    private IReadOnlyList<ListeningAddress> _live = [];
    private IReadOnlyList<string> _problems = [];

    /// <summary>In the order of Turn:ListenAddress.</summary>
    public IReadOnlyList<ListeningAddress> Live
    {
        get => Volatile.Read(ref _live);
        set => Volatile.Write(ref _live, value);
    }

    /// <summary>What an operator should know: addresses that are configured and not there.</summary>
    public IReadOnlyList<string> Problems
    {
        get => Volatile.Read(ref _problems);
        set => Volatile.Write(ref _problems, value);
    }
}
