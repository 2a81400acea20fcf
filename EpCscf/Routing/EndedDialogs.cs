using System.Buffers.Binary;
using WebRtcIms.EpCscf.Connections;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// Dialogues whose route tokens are not valid any more: a BYE has ended them, or they were never confirmed. All replicas know them. The
/// memory is bounded: beyond it, the tokens of the oldest are valid until they expire.
/// </summary>
internal sealed class EndedDialogs(HandOvers handOvers, TimeProvider time)
{
    /// <summary>The newest ones that are kept, at least.</summary>
    public const int Capacity = 250_000;

    private readonly Lock _gate = new();

    // Those of the running period and of the one before, so that each is kept for a whole period.
    private HashSet<ulong> _current = [];
    private HashSet<ulong> _former = [];
    private DateTimeOffset _began = time.GetUtcNow();

    public bool Contains(Dialog dialog)
    {
        lock (_gate) return _current.Contains(dialog.Id) || _former.Contains(dialog.Id);
    }

    public void Add(Dialog dialog)
    {
        Add(dialog.Id);
        var octets = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(octets, dialog.Id);
        handOvers.SendToOthers(new(HandOverKind.DialogEnded, dialog.Caller, octets));
    }

    /// <summary>A dialogue has ended at another replica.</summary>
    public void Handle(HandOver handOver)
    {
        if (handOver.Octets.Length == sizeof(ulong)) Add(BinaryPrimitives.ReadUInt64BigEndian(handOver.Octets.Span));
    }

    private void Add(ulong id)
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (_current.Count >= Capacity || now - _began >= RouteTokens.Lifetime)
            {
                (_former, _current) = (_current, []);
                _began = now;
            }

            _current.Add(id);
        }
    }
}
