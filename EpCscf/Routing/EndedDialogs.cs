using System.Buffers.Binary;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// Route tokens that are not valid any more: a BYE has ended the dialogue, or it was never confirmed. All replicas know them. The memory is
/// bounded: beyond it, the oldest are valid again until they expire.
/// </summary>
internal sealed class EndedDialogs(HandOvers handOvers, TimeProvider time)
{
    /// <summary>The newest ones that are kept, at least. A dialogue has two.</summary>
    public const int Capacity = 500_000;

    private readonly Lock _gate = new();

    // Those of the running period and of the one before, so that each is kept for a whole period.
    private HashSet<ulong> _current = [];
    private HashSet<ulong> _former = [];
    private DateTimeOffset _began = time.GetUtcNow();

    public bool Contains(Dialog dialog, BindingId end)
    {
        var name = NameOf(dialog, end);
        lock (_gate) return _current.Contains(name) || _former.Contains(name);
    }

    /// <summary>Ends the token of one end, or of both.</summary>
    /// <returns>False if all of them have ended before.</returns>
    public bool Add(Dialog dialog, params ReadOnlySpan<BindingId> ends)
    {
        var isNew = false;
        foreach (var end in ends)
        {
            var name = NameOf(dialog, end);
            isNew |= Add(name);
            var octets = new byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64BigEndian(octets, name);
            handOvers.SendToOthers(new(HandOverKind.DialogEnded, end, octets));
        }

        return isNew;
    }

    /// <summary>Another replica has ended a token.</summary>
    public void Handle(HandOver handOver)
    {
        if (handOver.Octets.Length == sizeof(ulong)) Add(BinaryPrimitives.ReadUInt64BigEndian(handOver.Octets.Span));
    }

    private static ulong NameOf(Dialog dialog, BindingId end) => end == dialog.Caller ? dialog.Id : ~dialog.Id;

    private bool Add(ulong name)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (_current.Count >= Capacity || now - _began >= RouteTokens.Lifetime)
            {
                (_former, _current) = (_current, []);
                _began = now;
            }

            return _current.Add(name) && !_former.Contains(name);
        }
    }
}
