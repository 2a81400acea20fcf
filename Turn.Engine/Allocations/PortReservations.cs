using System.Buffers.Binary;
using System.Security.Cryptography;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// Relays that were bound beside another and wait for the Allocate that brings their token: RTCP next to RTP (RFC 8656
/// §7.2, §18.10). Shared by all engines of a server, for that Allocate comes from another port and may reach another one.
/// </summary>
public sealed class PortReservations(Func<ulong>? newToken = null)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, (Relay Relay, long ExpiresAt)> _reserved = [];
    private readonly Func<ulong> _newToken = newToken ?? RandomToken;

    /// <summary>Reserved relays, with the expired ones that no sweep has removed yet.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _reserved.Count;
        }
    }

    /// <summary>Keeps a relay until a time in milliseconds and returns the RESERVATION-TOKEN.</summary>
    public ulong Add(Relay relay, long expiresAt)
    {
        lock (_gate)
        {
            ulong token;
            do token = _newToken();
            while (token == 0 || !_reserved.TryAdd(token, (relay, expiresAt)));
            return token;
        }
    }

    /// <summary>Returns the reserved relay, or null if the token is unknown, used or expired. A token serves once.</summary>
    public Relay? TryAcquire(ulong token, long now)
    {
        lock (_gate)
        {
            if (!_reserved.TryGetValue(token, out var reservation) || now >= reservation.ExpiresAt) return null;
            _reserved.Remove(token);
            return reservation.Relay;
        }
    }

    /// <summary>Hands over for closing what has expired by now; all, when <paramref name="now"/> is the end of time.</summary>
    public void Sweep(long now, List<Relay> relaysToClose)
    {
        lock (_gate)
        {
            foreach (var (token, reservation) in _reserved)
            {
                if (now < reservation.ExpiresAt) continue;
                _reserved.Remove(token);
                relaysToClose.Add(reservation.Relay);
            }
        }
    }

    // A guessed token takes the port away, so tokens come from the system's generator.
    private static ulong RandomToken() => BinaryPrimitives.ReadUInt64BigEndian(RandomNumberGenerator.GetBytes(8));
}
