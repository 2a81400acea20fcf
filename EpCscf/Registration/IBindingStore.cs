namespace WebRtcIms.EpCscf.Registration;

/// <summary>Holds the bindings that have not expired: in memory, or in Redis for all replicas.</summary>
internal interface IBindingStore
{
    /// <param name="subscriber">Name from <see cref="BindingNames.Subscriber"/>.</param>
    ValueTask<IReadOnlyList<Binding>> FindAsync(string subscriber);

    /// <summary>
    /// The replica that has the binding's connection. The connection may outlive the registration by
    /// <see cref="ConnectionLifetimes.AfterExpiry"/>, and so may this answer.
    /// </summary>
    ValueTask<string?> LocateAsync(BindingId id);

    /// <summary>Saves the binding, and returns the one with the same id that it replaces.</summary>
    ValueTask<Binding?> SaveAsync(Binding binding);

    /// <summary>
    /// Saves a binding of a connection again if the shared store has lost it. A newer one stays. False if the store does not answer.
    /// </summary>
    ValueTask<bool> RestoreAsync(Binding binding);

    /// <summary>
    /// Removes the binding unless it has been registered over another connection since. False if there was nothing to remove.
    /// </summary>
    ValueTask<bool> RemoveAsync(Binding binding);

    /// <summary>Those of the given subscribers that can be reached, by their names.</summary>
    ValueTask<IReadOnlySet<string>> OnlineAsync(IReadOnlyCollection<string> subscribers);

    ValueTask<IReadOnlyList<Binding>> FindSessionAsync(string sessionId);
}
