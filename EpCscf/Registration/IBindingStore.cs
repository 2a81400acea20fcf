namespace WebRtcIms.EpCscf.Registration;

/// <summary>Where bindings are kept: in memory, or in Redis for all replicas. What has expired is not there any more.</summary>
internal interface IBindingStore
{
    /// <param name="subscriber">Name from <see cref="BindingNames.Subscriber"/>.</param>
    ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber);

    /// <summary>
    /// The replica that has the binding's connection. That may be there for an hour longer than the registration (a call must be
    /// possible to end when it could not be renewed), and so may the answer.
    /// </summary>
    ValueTask<string?> LocateAsync(BindingId id);

    ValueTask SaveAsync(Binding binding);

    /// <summary>Removes the binding unless it has been registered over another connection since. False when it was not there.</summary>
    ValueTask<bool> RemoveAsync(Binding binding);

    /// <summary>Which of these subscribers can be reached, by their names.</summary>
    ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers);

    /// <summary>The bindings of a session at the WWSF.</summary>
    ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId);

    /// <summary>From now on tokens of this session are refused.</summary>
    ValueTask RevokeAsync(string sessionId);

    ValueTask<bool> IsRevokedAsync(string sessionId);
}
