//! The C interface of BridgeStan 2, as its header `bridgestan.h` declares it.
//!
//! Every `unsafe` block rests on one promise that cannot be checked from here, that the library keeps to the interface: it has
//! the symbols of the interface, and they are what the header of the major version that it states says they are. Callers make
//! it by loading the file. Everything else is shown where it is used.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libloading::Library;

use crate::{StanError, one_line};

/// The major version of the interface that is spoken here. Minor versions only add to it.
const MAJOR: c_int = 2;

/// How to compile a model, for messages.
const COMPILE: &str = "compile it with BridgeStan 2: make STAN_THREADS=True PATH/NAME_model.so";

/// A message that the library allocates, or null.
type Message = *mut *mut c_char;

/// A print callback.
type Printer = extern "C" fn(*const c_char, usize);

/// The functions that are used, with the types that the header gives them.
struct Functions {
    construct: unsafe extern "C" fn(*const c_char, c_uint, Message) -> *mut c_void,
    destruct: unsafe extern "C" fn(*mut c_void),
    free_message: unsafe extern "C" fn(*mut c_char),
    name: unsafe extern "C" fn(*const c_void) -> *const c_char,
    info: unsafe extern "C" fn(*const c_void) -> *const c_char,
    names: unsafe extern "C" fn(*const c_void) -> *const c_char,
    output_names: unsafe extern "C" fn(*const c_void, bool, bool) -> *const c_char,
    dim: unsafe extern "C" fn(*const c_void) -> c_int,
    outputs: unsafe extern "C" fn(*const c_void, bool, bool) -> c_int,
    constrain:
        unsafe extern "C" fn(*const c_void, bool, bool, *const f64, *mut f64, *mut c_void, Message) -> c_int,
    value: unsafe extern "C" fn(*const c_void, bool, bool, *const f64, *mut f64, Message) -> c_int,
    gradient:
        unsafe extern "C" fn(*const c_void, bool, bool, *const f64, *mut f64, *mut f64, Message) -> c_int,
}

/// A Stan model with its data.
pub struct Model {
    model: NonNull<c_void>,
    functions: Functions,
    /// Never unloaded: code of it may still be about to run, in destructors of threads.
    _library: ManuallyDrop<Library>,
    name: String,
    info: String,
    names: Vec<String>,
    output_names: Vec<String>,
}

// SAFETY: a model is not bound to the thread that made it. It is written to by no call after it was made, and what its calls
// share otherwise, Stan's stack of derivatives, is one per thread if the model is compiled for threads; if it is not, calls are
// made one at a time, by `turn`.
unsafe impl Send for Model {}
// SAFETY: as for `Send`.
unsafe impl Sync for Model {}

/// Models that are not compiled for threads share one stack of derivatives, also between libraries.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    // What is guarded holds nothing that a panic could leave half done.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What models print goes nowhere: standard output belongs to the program.
extern "C" fn print_nothing(_: *const c_char, _: usize) {}

impl Model {
    /// The model in the shared library at `path`, with `data` as the text of a JSON object, if it takes any. `seed` is for
    /// random numbers in the block `transformed data`.
    ///
    /// # Errors
    /// [`StanError::NoLibrary`], [`StanError::NoModel`] or [`StanError::Data`].
    pub fn open(path: &Path, data: Option<&str>, seed: u32) -> Result<Self, StanError> {
        let no_library =
            |reason: String| StanError::NoLibrary { path: path.into(), reason: one_line(&reason) };
        // A bare name would be looked for in the folders of the system.
        let whole = path.canonicalize().map_err(|error| no_library(error.to_string()))?;
        // SAFETY: this runs the library's own start, which the caller of this function asked for.
        let library = unsafe { Library::new(&whole) }.map_err(|error| no_library(error.to_string()))?;
        // Kept loaded from here on, whatever else is wrong with it: its threads may already run.
        let library = ManuallyDrop::new(library);
        check_version(&library, path)?;
        let functions = Functions::of(&library, path)?;
        let model = {
            let _turn = one_at_a_time();
            functions.constructed(data, seed, path)?
        };
        let model = Self {
            model,
            functions,
            _library: library,
            name: String::new(),
            info: String::new(),
            names: Vec::new(),
            output_names: Vec::new(),
        };
        model.described(path)
    }

    /// Its name, the information of the compiler, and its parameters.
    fn described(mut self, path: &Path) -> Result<Self, StanError> {
        let model = self.model.as_ptr();
        // SAFETY: `model` lives. The strings belong to it, and are copied before it ends.
        let [name, info, names, outputs] = unsafe {
            [
                text((self.functions.name)(model)),
                text((self.functions.info)(model)),
                text((self.functions.names)(model)),
                text((self.functions.output_names)(model, true, false)),
            ]
        };
        // SAFETY: `model` lives.
        let counts = unsafe { [(self.functions.dim)(model), (self.functions.outputs)(model, true, false)] };
        let list =
            |names: String| names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        (self.name, self.info, self.names, self.output_names) = (name, info, list(names), list(outputs));
        for (names, count) in [(&self.names, counts[0]), (&self.output_names, counts[1])] {
            // Buffers have the size of the list of names: the library must not write more.
            if usize::try_from(count) != Ok(names.len()) {
                let reason =
                    format!("it says it has {count} parameters, and names {} ({COMPILE})", names.len());
                return Err(StanError::no_model(path, reason));
            }
        }
        Ok(self)
    }

    /// Name of the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it was compiled for threads, so that it may be evaluated on several at once. If not, evaluations wait for each
    /// other.
    pub fn is_threaded(&self) -> bool {
        self.info.contains("STAN_THREADS=true")
    }

    /// Parameters without bounds, in the order of the program; `theta.1` is the first of `theta`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Parameters as the program declares them, then its transformed parameters.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// The turn of a call.
    fn turn(&self) -> Option<MutexGuard<'static, ()>> {
        (!self.is_threaded()).then(one_at_a_time)
    }

    fn check_length(&self, x: &[f64]) -> Result<(), StanError> {
        match x.len() == self.names.len() {
            true => Ok(()),
            false => {
                Err(StanError::Failed(format!("{} numbers for {} parameters", x.len(), self.names.len())))
            }
        }
    }

    /// ln ρ at `x`, `[dim]`.
    ///
    /// # Errors
    /// [`StanError::Rejected`] or [`StanError::Failed`].
    pub fn value(&self, x: &[f64]) -> Result<f64, StanError> {
        self.check_length(x)?;
        let _turn = self.turn();
        let (mut value, mut message) = (f64::NAN, ptr::null_mut());
        // SAFETY: the model lives, `x` has as many numbers as it has parameters, and both places to write to are ours.
        let code = unsafe {
            (self.functions.value)(self.model.as_ptr(), false, true, x.as_ptr(), &mut value, &mut message)
        };
        self.functions.outcome(code, message).map(|()| value)
    }

    /// ln ρ at `x`, `[dim]`, and its gradient into `gradient`, `[dim]`.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> Result<f64, StanError> {
        self.check_length(x)?;
        self.check_length(gradient)?;
        let _turn = self.turn();
        let (mut value, mut message) = (f64::NAN, ptr::null_mut());
        let (at, slope) = (x.as_ptr(), gradient.as_mut_ptr());
        // SAFETY: as in `value`; `gradient` too has as many numbers as the model has parameters.
        let code = unsafe {
            (self.functions.gradient)(self.model.as_ptr(), false, true, at, &mut value, slope, &mut message)
        };
        self.functions.outcome(code, message).map(|()| value)
    }

    /// Parameters within their bounds and transformed parameters at `x`, `[dim]`, into `outputs`, `[output_names]`.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn outputs(&self, x: &[f64], outputs: &mut [f64]) -> Result<(), StanError> {
        self.check_length(x)?;
        if outputs.len() != self.output_names.len() {
            let problem = format!("room for {} of {} numbers", outputs.len(), self.output_names.len());
            return Err(StanError::Failed(problem));
        }
        let _turn = self.turn();
        let (model, mut message) = (self.model.as_ptr(), ptr::null_mut());
        let (at, to) = (x.as_ptr(), outputs.as_mut_ptr());
        // SAFETY: as in `value`; `outputs` has room for parameters and transformed ones. A generator of random numbers may be
        // null where no generated quantities are asked for.
        let code =
            unsafe { (self.functions.constrain)(model, true, false, at, to, ptr::null_mut(), &mut message) };
        self.functions.outcome(code, message)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _turn = self.turn();
        // SAFETY: the model was made by this library, which is still loaded, and nobody has it after this.
        unsafe { (self.functions.destruct)(self.model.as_ptr()) }
    }
}

impl Functions {
    fn of(library: &Library, path: &Path) -> Result<Self, StanError> {
        // SAFETY: each symbol is a function of the type that the header gives it, and the field it goes to has that type. The
        // pointers outlive the borrow because the library is never unloaded.
        unsafe {
            let functions = Self {
                construct: function(library, path, "bs_model_construct")?,
                destruct: function(library, path, "bs_model_destruct")?,
                free_message: function(library, path, "bs_free_error_msg")?,
                name: function(library, path, "bs_name")?,
                info: function(library, path, "bs_model_info")?,
                names: function(library, path, "bs_param_unc_names")?,
                output_names: function(library, path, "bs_param_names")?,
                dim: function(library, path, "bs_param_unc_num")?,
                outputs: function(library, path, "bs_param_num")?,
                constrain: function(library, path, "bs_param_constrain")?,
                value: function(library, path, "bs_log_density")?,
                gradient: function(library, path, "bs_log_density_gradient")?,
            };
            functions.silence(library);
            Ok(functions)
        }
    }

    /// Sends what models print nowhere, if the library lets us.
    fn silence(&self, library: &Library) {
        type Set = unsafe extern "C" fn(Option<Printer>, Message) -> c_int;
        // SAFETY: the type is that of the header, and the callback is a function that lives as long as the program.
        unsafe {
            if let Ok(set) = library.get::<Set>(b"bs_set_print_callback") {
                let mut message = ptr::null_mut();
                let code = set(Some(print_nothing), &mut message);
                // A model that cannot be silenced can still be evaluated.
                let _ = self.outcome(code, message);
            }
        }
    }

    fn constructed(&self, data: Option<&str>, seed: u32, path: &Path) -> Result<NonNull<c_void>, StanError> {
        let refused = |reason: String| StanError::Data { path: path.into(), reason };
        let data = data.map(CString::new).transpose();
        let data = data.map_err(|_| refused("they hold a zero byte, which no text does".into()))?;
        let mut message = ptr::null_mut();
        let text = data.as_ref().map_or(ptr::null(), |data| data.as_ptr());
        // SAFETY: `text` is null or ends in a zero byte and lives until the call returns; `message` is ours to write to.
        let model = unsafe { (self.construct)(text, seed, &mut message) };
        let said = self.taken(message);
        NonNull::new(model).ok_or_else(|| refused(said))
    }

    /// The outcome of a call with this code and `message`.
    fn outcome(&self, code: c_int, message: *mut c_char) -> Result<(), StanError> {
        let said = self.taken(message);
        if code == 0 { Ok(()) } else { Err(StanError::of_evaluation(&said)) }
    }

    /// A message that the library allocated, which is freed.
    fn taken(&self, message: *mut c_char) -> String {
        if message.is_null() {
            return "no reason was given".into();
        }
        // SAFETY: the library allocated it and handed it over; it is read before it is freed, once.
        unsafe {
            let said = one_line(&text(message));
            (self.free_message)(message);
            said
        }
    }
}

/// The function called `name`.
///
/// # Safety
/// `T` is the type that the header gives the function, and the library stays loaded while it is called.
unsafe fn function<T: Copy>(library: &Library, path: &Path, name: &str) -> Result<T, StanError> {
    // SAFETY: handed on to the caller.
    let symbol = unsafe { library.get::<T>(name.as_bytes()) };
    symbol
        .map(|symbol| *symbol)
        .map_err(|_| StanError::no_model(path, format!("it has no {name} ({COMPILE})")))
}

/// Refuses another major version of the interface.
fn check_version(library: &Library, path: &Path) -> Result<(), StanError> {
    // SAFETY: a constant of this name is an int in every version of the header that has it, and outlives its reading.
    let major = unsafe { library.get::<*const c_int>(b"bs_major_version").map(|major| **major) };
    match major {
        Ok(MAJOR) => Ok(()),
        Ok(other) => {
            let reason = format!("it was compiled by BridgeStan {other} and not {MAJOR} ({COMPILE})");
            Err(StanError::no_model(path, reason))
        }
        Err(_) => Err(StanError::no_model(path, format!("it has no bs_major_version ({COMPILE})"))),
    }
}

/// A copy of a text; none of a null pointer.
///
/// # Safety
/// `start` is null or points to bytes that end in a zero byte and do not change meanwhile.
unsafe fn text(start: *const c_char) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: as this function demands.
    unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned()
}
