namespace FenceGateway.TokenStore.Etcd;

/// <summary>
/// Resources as last seen, so that a change usually needs one round trip. Never an answer by itself. Two generations:
/// at the bound the older one is dropped, so that at most twice <see cref="Capacity"/> are held.
/// </summary>
internal sealed class EtcdResourceCache
{
    public const int Capacity = 32_768;

    private readonly Lock _gate = new();
    private Dictionary<string, EtcdResource> _young = new(StringComparer.Ordinal);
    private Dictionary<string, EtcdResource> _old = new(StringComparer.Ordinal);

    /// <summary>The resource as last seen; taken for absent when it never was.</summary>
    public EtcdResource Get(string name)
    {
        lock (_gate)
        {
            return GetLocked(name);
        }
    }

    /// <summary>Takes over what is newer in <paramref name="seen"/>.</summary>
    public void Learn(EtcdResource seen) => Update(seen.Name, known =>
        seen.KnownAt.Mark >= known.KnownAt.Mark && seen.KnownAt.Writers >= known.KnownAt.Writers ? seen : known);

    /// <summary>Changes what is known of a resource; the result.</summary>
    public EtcdResource Update(string name, Func<EtcdResource, EtcdResource> change)
    {
        lock (_gate)
        {
            var changed = change(GetLocked(name));
            if (_young.Count >= Capacity)
            {
                (_old, _young) = (_young, new Dictionary<string, EtcdResource>(StringComparer.Ordinal));
            }

            return _young[name] = changed;
        }
    }

    /// <summary>Forgets everything: etcd lost data, revisions may repeat.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _young.Clear();
            _old.Clear();
        }
    }

    private EtcdResource GetLocked(string name) =>
        _young.TryGetValue(name, out var found) || _old.TryGetValue(name, out found) ? found : new EtcdResource(name);
}
